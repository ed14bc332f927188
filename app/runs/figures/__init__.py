"""Figures of runs: curves, tiles, and phases before the first train step."""
