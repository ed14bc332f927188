"""What a short answer says: a number, a date, a choice, a set, an interval, a name, or text."""
