"""What a training reports: its plan, train steps, compilations, metric sinks."""
