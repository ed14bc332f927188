"""Short answers and their comparison, without knowledge of traces or models."""
