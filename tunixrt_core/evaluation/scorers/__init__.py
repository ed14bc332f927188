"""Scorers: plain functions from one answer to one score. Each has a name and a version."""
