"""The home folder as a whole: overview, attention, disk, doctor and diagnostics."""
