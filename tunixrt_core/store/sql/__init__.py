"""Engines, dialects, tables and schema of the database."""
