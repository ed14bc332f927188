"""Eval files: the prompts and expected answers of a file, for the contamination gate and for evaluations."""
