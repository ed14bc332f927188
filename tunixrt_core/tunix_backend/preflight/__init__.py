"""Preflight from files alone, without importing JAX."""
