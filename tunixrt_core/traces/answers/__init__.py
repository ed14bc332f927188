"""Short answers: whether two of them are the same, as text or as a number. Knows nothing of traces or models."""
