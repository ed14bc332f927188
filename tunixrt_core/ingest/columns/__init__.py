"""Columns as people name them, arranged for the formats."""
