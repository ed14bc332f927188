"""Jobs that wait longer than their server does."""
