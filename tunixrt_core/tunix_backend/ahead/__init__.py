"""Compiling for TPU slices without one, and the costs of the compiled programs."""
