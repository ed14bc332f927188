"""Everything that touches JAX and Tunix. Import its modules inside functions: each costs seconds."""
