"""Tuned models as Hugging Face files, loaded again and compared."""
