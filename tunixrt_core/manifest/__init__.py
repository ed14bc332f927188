"""The run manifest: everything one run needs, in one YAML file."""
