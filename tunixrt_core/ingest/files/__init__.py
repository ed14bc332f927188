"""Containers of rows: text, tables, packed files, folders and archives."""
