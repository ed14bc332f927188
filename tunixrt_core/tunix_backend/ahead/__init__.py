"""Compiling for TPU slices that are not there, and what the compiled programs cost."""
