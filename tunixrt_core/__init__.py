"""Tunix RT's core: from reasoning traces to a fine-tuned, evaluated model.

The path of the data, in the order of the modules:

    ingest      bytes -> Trace, or a RowError that names file, line, field and reason
    store       traces, dataset versions, runs and evaluations (SQLite or PostgreSQL)
    datasets    a frozen, hashed selection of traces, split without leaks; export writes it
    manifest    everything one run needs, in one YAML file
    jobs        one worker thread that runs manifests through Tunix (tunix_backend)
    evaluation  generated answers, scored row by row, base against tuned
    pipeline    these verbs in order: read it first

Importing this package imports nothing else.
"""

__version__ = "0.1.0"
