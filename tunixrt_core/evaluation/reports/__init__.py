"""A run told to a reader: its summary, and the model card of an export."""
