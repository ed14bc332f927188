"""From config.json to an architecture: one module per group of families, and the table of all in `reading`."""
