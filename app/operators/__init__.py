"""For who operates the server: metrics, readiness and structured logs."""
