"""Everything that imports JAX or Tunix. Import it in functions: it costs seconds."""
