"""Faults that a preflight finds, one module per part of the run."""
