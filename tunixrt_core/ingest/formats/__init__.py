"""Formats, one per module: name, detection and conversion to a trace."""
