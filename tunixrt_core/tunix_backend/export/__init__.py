"""A tuned model leaves as Hugging Face files that were loaded again and compared, or not at all."""
