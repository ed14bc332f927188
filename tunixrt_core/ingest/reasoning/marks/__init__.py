"""Marks around reasoning and answer, and what only looks like one."""
