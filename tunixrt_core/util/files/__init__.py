"""Files: written whole, read within bounds, private, with room on the disk."""
