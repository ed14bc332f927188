"""Eval files: prompts and expected answers of a file."""
