"""Rows of runs, evaluations, jobs, requests and tokens in the database."""
