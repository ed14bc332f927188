"""Parts of the Preflight page."""
