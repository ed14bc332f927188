"""What a preflight checks, and its report."""
