"""Migrations in order. A released migration never changes."""
