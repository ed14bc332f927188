"""One module a format: its name, how to know its rows, and how a row becomes a trace."""
