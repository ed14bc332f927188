"""Quality gates, one per module."""
