"""Quality gates: each with a name, a version and plain functions."""
