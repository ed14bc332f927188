"""Terminal output: tables and progress of each topic."""
