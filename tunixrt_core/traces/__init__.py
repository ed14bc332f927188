"""The trace: its text, steps, scores, differences and rows of a data file."""
