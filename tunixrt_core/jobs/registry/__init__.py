"""Runs and evaluations of a home: rows of the store that follow their folders."""
