"""Dashboard and JSON API: one process, one Pipeline, one access gate."""
