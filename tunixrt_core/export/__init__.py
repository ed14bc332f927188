"""Export: traces as the rows of a format, streamed, atomic, and the same bytes for the same traces everywhere."""
