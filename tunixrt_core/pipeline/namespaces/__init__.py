"""The namespaces of a Pipeline (`rt.traces`, `rt.runs`, ...), one module each."""
