"""Trace in: what a Pipeline does to bring traces into the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tunixrt_core import examples
from tunixrt_core.ingest.detect import FORMATS
from tunixrt_core.ingest.mapping import ColumnMapping
from tunixrt_core.ingest.preview import diagnose, preview_of
from tunixrt_core.ingest.reader import read_traces, size_of
from tunixrt_core.ingest.rejects import Rejects, rejects_file
from tunixrt_core.ingest.report import Diagnosis, ImportProgress, ImportReport, Preview, Read, Tally
from tunixrt_core.ingest.steps import rule_named
from tunixrt_core.store.store import Store

OnProgress = Callable[[ImportProgress], object]
_EVERY = 500  # traces between two words about progress


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
        split: str = "auto",
        mapping: Mapping[str, str] | None = None,
        rejects: Path | BinaryIO | None = None,
        on_progress: OnProgress | None = None,
    ) -> ImportReport:
        """Read a file of traces into the store, in one transaction: read = inserted + duplicate + rejected.

        `split` is the rule to divide reasoning into steps by; `mapping` says column -> field, in place of a format;
        `rejects` is given the rejected rows, byte for byte. What `on_progress` raises ends it, with nothing stored.
        Raises UnreadableFile, with nothing stored, where the file as a whole cannot be read.
        """
        label = name or _name(source)
        total = size_of(source)
        with _rejects(rejects) as rejected:
            reader = read_traces(
                source,
                name=label,
                format=format,
                source_label=source_label,
                rule=rule_named(split),
                mapping=ColumnMapping(mapping) if mapping else None,
                rejects=rejected,
            )
            began = time.perf_counter()

            def tell(read: int) -> None:
                if on_progress:
                    on_progress(ImportProgress(read, reader.bytes_read, total, time.perf_counter() - began))

            return self._insert(_watched(reader, tell), label, reader.format)

    def preview(
        self,
        source: Path | BinaryIO,
        *,
        name: str | None = None,
        format: str = "auto",
        source_label: str | None = None,
        split: str = "auto",
        mapping: Mapping[str, str] | None = None,
    ) -> Preview:
        """What `ingest` with the same words would make of the first rows. Stores nothing. Raises UnreadableFile."""
        reader = read_traces(
            source,
            name=name or _name(source),
            format=format,
            source_label=source_label,
            rule=rule_named(split),
            mapping=ColumnMapping(mapping) if mapping else None,
        )
        return preview_of(reader)

    def diagnose(
        self,
        source: Path | BinaryIO,
        *,
        name: str | None = None,
        format: str = "auto",
        split: str = "auto",
        mapping: Mapping[str, str] | None = None,
        rejects: Path | BinaryIO | None = None,
        on_progress: OnProgress | None = None,
    ) -> Diagnosis:
        """Read a file to its end and say what is in it; store nothing. Raises UnreadableFile."""
        total = size_of(source)
        with _rejects(rejects) as rejected:
            reader = read_traces(
                source,
                name=name or _name(source),
                format=format,
                rule=rule_named(split),
                mapping=ColumnMapping(mapping) if mapping else None,
                rejects=rejected,
            )
            began = time.perf_counter()

            def tell() -> None:
                if on_progress and reader.rows % _EVERY == 0:
                    on_progress(ImportProgress(reader.rows, reader.bytes_read, total, time.perf_counter() - began))

            return diagnose(reader, tell)

    def formats(self) -> tuple[str, ...]:
        """The names of the formats that can be read, in the order of detection."""
        return tuple(FORMATS)

    def ingest_examples(self, n: int = examples.DEFAULT_COUNT, seed: int = 0) -> ImportReport:
        """The bundled example traces: small arithmetic tasks that the tiny model can learn in minutes."""
        return self._insert(examples.example_traces(n, seed), "bundled examples", "trace")

    def add_traces(self, traces: Iterable[Read], name: str = "api") -> ImportReport:
        """Store traces made elsewhere, such as by a script."""
        return self._insert(traces, name, "trace")

    def _insert(self, items: Iterable[Read], name: str, format: str) -> ImportReport:
        return insert_counted(self.store, items, name, format)


def insert_counted(store: Store, items: Iterable[Read], name: str, format: str) -> ImportReport:
    """Store what can be stored, in one transaction: read = inserted + duplicate + rejected."""
    began = time.perf_counter()
    tally = Tally(name, format)
    counts = store.traces.insert(tally.traces(items))
    return tally.report(inserted=counts.inserted, duplicate=counts.duplicate, seconds=time.perf_counter() - began)


def _watched(items: Iterable[Read], tell: Callable[[int], None]) -> Iterator[Read]:
    for number, item in enumerate(items, 1):
        yield item
        if number % _EVERY == 0:
            tell(number)


def _name(source: Path | BinaryIO) -> str:
    return source.name if isinstance(source, Path) else "upload"


@contextmanager
def _rejects(target: Path | BinaryIO | None) -> Iterator[Rejects | None]:
    if target is None:
        yield None
    elif isinstance(target, Path):
        with rejects_file(target) as rejects:
            yield rejects
    else:
        rejects = Rejects(target)
        yield rejects
        rejects.end()
