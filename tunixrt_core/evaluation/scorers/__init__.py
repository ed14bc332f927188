"""Scorers: functions from one answer to one score, with name and version."""
