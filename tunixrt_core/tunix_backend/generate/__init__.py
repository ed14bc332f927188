"""Text generation with Tunix's sampler."""
