"""Parts of the Evaluations page."""
