"""The HTTP server: access gate, headers, sign-in and log file."""
