"""Training without JAX: protocols, execution, records, alerts, preflight and memory."""
