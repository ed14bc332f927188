"""The meaning of a short answer: number, date, choice, set, name or text."""
