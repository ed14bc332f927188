"""Containers: one module per kind of file, and directories and archives."""
