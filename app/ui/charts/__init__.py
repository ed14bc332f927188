"""Live charts and their data."""
