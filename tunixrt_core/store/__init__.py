"""The store: traces, dataset versions, runs and evaluations in SQLite or PostgreSQL. Only this package knows SQL."""
