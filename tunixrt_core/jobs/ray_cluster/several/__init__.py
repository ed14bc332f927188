"""One training by several processes of a Ray cluster."""
