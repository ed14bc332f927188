"""Columns as people name them: their roles, and a row arranged so that a format can read it."""
