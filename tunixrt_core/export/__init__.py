"""Export: traces as rows of a format, streamed, atomic and reproducible."""
