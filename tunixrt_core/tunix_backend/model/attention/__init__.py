"""Attention of packed rows in memory that grows with their length, not its square."""
