"""What is wrong with a run, found before it starts from its files alone: no jax is imported and nothing is loaded."""
