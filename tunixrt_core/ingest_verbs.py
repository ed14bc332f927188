"""Trace in: what a Pipeline does to bring traces into the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from tunixrt_core import examples
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import ImportReport, RowError, Tally
from tunixrt_core.store.store import Store
from tunixrt_core.traces import Trace


class IngestVerbs:
    """The part of a Pipeline that reads traces in."""

    store: Store

    def ingest(
        self,
        source: Path | BinaryIO,
        *,
        name: str | None = None,
        format: str = "auto",
        source_label: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Read a file of traces into the store, in one transaction: read = inserted + duplicate + rejected.

        Raises UnreadableFile, with nothing stored, where the file as a whole cannot be read.
        """
        label = name or (source.name if isinstance(source, Path) else "upload")
        reader = read_traces(source, name=label, format=format, source_label=source_label)
        return self._insert(reader, label, reader.format, on_progress)

    def ingest_examples(self, n: int = examples.DEFAULT_COUNT, seed: int = 0) -> ImportReport:
        """The bundled example traces: small arithmetic tasks that the tiny model can learn in minutes."""
        return self._insert(examples.example_traces(n, seed), "bundled examples", "trace")

    def add_traces(self, traces: Iterable[Trace | RowError], name: str = "api") -> ImportReport:
        """Store traces made elsewhere, such as by a script."""
        return self._insert(traces, name, "trace")

    def _insert(
        self,
        items: Iterable[Trace | RowError],
        name: str,
        format: str,
        on_progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        began = time.perf_counter()
        tally = Tally(name, format)

        def traces() -> Iterator[Trace]:
            for trace in tally.traces(items):
                if on_progress and tally.read % 500 == 0:
                    on_progress(tally.read)
                yield trace

        counts = self.store.traces.insert(traces())
        return tally.report(inserted=counts.inserted, duplicate=counts.duplicate, seconds=time.perf_counter() - began)
