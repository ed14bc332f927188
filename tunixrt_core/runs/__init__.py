"""Records and folders of runs and evaluations."""
