"""Trace in: what a Pipeline does to bring traces into the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Unpack

from tunixrt_core.ingest.files.rejects import Rejects, rejects_file
from tunixrt_core.ingest.formats.detect import FORMATS
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.preview import diagnose, preview_of
from tunixrt_core.ingest.reader import TraceReader, read_traces, size_of
from tunixrt_core.ingest.reasoning.steps import rule_named
from tunixrt_core.ingest.report import Diagnosis, ImportProgress, ImportReport, Preview, Read, Tally
from tunixrt_core.store.store import Store
from tunixrt_core.traces import examples

OnProgress = Callable[[ImportProgress], object]
RejectsTo = Path | BinaryIO | Rejects | None
_EVERY = 500  # traces between two words about progress


class IngestVerbs:
    """The part of a Pipeline that reads traces in."""

    store: Store

    def ingest(
        self,
        source: Path | BinaryIO,
        *,
        rejects: RejectsTo = None,
        on_progress: OnProgress | None = None,
        **words: Unpack[Reading],
    ) -> ImportReport:
        """Read a file of traces into the store, in one transaction: read = inserted + duplicate + rejected.

        `rejects` is given the rejected rows, byte for byte. What `on_progress` raises ends it, with nothing stored;
        it is called while the database writes too, and a last time before the commit. Raises UnreadableFile, with
        nothing stored, where the file as a whole cannot be read.
        """
        total = size_of(source)
        with _rejects(rejects) as rejected:
            reader = _reader(source, rejected, words)
            watched = _Watched(reader, _teller(reader, total, on_progress))
            return insert_counted(self.store, watched, reader.name, reader.format, beat=watched.beat)

    def preview(self, source: Path | BinaryIO, **words: Unpack[Reading]) -> Preview:
        """What `ingest` with the same words would make of the first rows. Stores nothing. Raises UnreadableFile."""
        return preview_of(_reader(source, None, words))

    def diagnose(
        self,
        source: Path | BinaryIO,
        *,
        rejects: RejectsTo = None,
        on_progress: OnProgress | None = None,
        **words: Unpack[Reading],
    ) -> Diagnosis:
        """Read a file to its end and say what is in it; store nothing. Raises UnreadableFile."""
        total = size_of(source)
        with _rejects(rejects) as rejected:
            reader = _reader(source, rejected, words)
            tell = _teller(reader, total, on_progress)
            return diagnose(reader, lambda: tell(reader.rows) if reader.rows % _EVERY == 0 else None)

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


def insert_counted(
    store: Store, items: Iterable[Read], name: str, format: str, *, beat: Callable[[], object] | None = None
) -> ImportReport:
    """Store what can be stored, in one transaction: read = inserted + duplicate + rejected. `beat` as in the store."""
    began = time.perf_counter()
    tally = Tally(name, format)
    counts = store.traces.insert(tally.traces(items), beat=beat)
    return tally.report(inserted=counts.inserted, duplicate=counts.duplicate, seconds=time.perf_counter() - began)


class _Watched:
    """Items on their way, with a word about how many there were: after each 500, and at each `beat`."""

    def __init__(self, items: Iterable[Read], tell: Callable[[int], object]) -> None:
        self._items = items
        self._tell = tell
        self._read = 0

    def __iter__(self) -> Iterator[Read]:
        for item in self._items:
            yield item
            self._read += 1
            if self._read % _EVERY == 0:
                self.beat()

    def beat(self) -> None:
        self._tell(self._read)


def _reader(source: Path | BinaryIO, rejects: Rejects | None, words: Reading) -> TraceReader:
    mapping = words.get("mapping")
    return read_traces(
        source,
        name=words.get("name") or (source.name if isinstance(source, Path) else "upload"),
        format=words.get("format", "auto"),
        source_label=words.get("source_label"),
        rule=rule_named(words.get("split", "auto")),
        mapping=ColumnMapping(mapping) if mapping else None,
        rejects=rejects,
    )


def _teller(reader: TraceReader, total: int | None, on_progress: OnProgress | None) -> Callable[[int], object]:
    """Says how far the reader is, given what was read so far and the bytes that there are."""
    if on_progress is None:
        return lambda read: None
    began = time.perf_counter()
    return lambda read: on_progress(ImportProgress(read, reader.bytes_read, total, time.perf_counter() - began))


@contextmanager
def _rejects(target: RejectsTo) -> Iterator[Rejects | None]:
    if target is None:
        yield None
    elif isinstance(target, Path):
        with rejects_file(target) as rejects:
            yield rejects
    else:
        rejects = target if isinstance(target, Rejects) else Rejects(target)
        yield rejects
        rejects.end()
