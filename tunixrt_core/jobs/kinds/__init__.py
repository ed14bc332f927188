"""Kinds of jobs in the queue: the work of each, and what follows it."""
