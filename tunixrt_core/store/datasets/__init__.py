"""Dataset versions and gate findings in the store."""
