"""Training without JAX: protocols, records, alerts, preflight, memory."""
