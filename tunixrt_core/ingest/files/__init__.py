"""Containers of rows: JSON Lines, JSON documents, CSV and Parquet."""
