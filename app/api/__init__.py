"""The JSON API, mounted at /api."""
