"""Training with Tunix: the loop around its trainer and what it reports."""
