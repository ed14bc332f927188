"""Parts that every page shares: shell, components, words and navigation."""
