"""Eval sets: from a split or a file, their settings and their leaks."""
