"""The turns, tools and calls of each model family, one module per family."""
