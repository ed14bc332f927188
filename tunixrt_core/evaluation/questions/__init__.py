"""Questions to the models of a run, asked one at a time."""
