"""Records of a run while it trains: files, alerts, metric sinks, messages."""
