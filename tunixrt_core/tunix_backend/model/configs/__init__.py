"""Reading of config.json: one module per group of families, the table in reading."""
