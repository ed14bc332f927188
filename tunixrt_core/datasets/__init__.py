"""Dataset versions: a frozen, hashed selection of traces, split so that one prompt never stands on both sides."""
