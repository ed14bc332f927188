"""Dataset versions: frozen, hashed selections of traces, split by prompt."""
