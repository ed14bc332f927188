"""Helpers without domain knowledge: files, hashes, processes, tasks."""
