"""Alembic migrations, applied when a store is opened."""
