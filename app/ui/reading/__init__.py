"""Text of models on a page: the reader, what it shows, invisible characters."""
