"""The store: SQLite or PostgreSQL. Only this package knows SQL."""
