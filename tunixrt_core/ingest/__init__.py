"""Trace in: bytes of any known format become traces, or row errors that name line, field and reason."""
