"""Progress of an import, its reader and its rejected rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.ingest.files.rejects import Rejects, rejects_file
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.reader import AnyReader, read_traces
from tunixrt_core.ingest.reasoning.steps import rule_named
from tunixrt_core.ingest.report import ImportProgress, Read

OnProgress = Callable[[ImportProgress], object]
RejectsTo = Path | BinaryIO | Rejects | None
EVERY = 500  # traces between two words about progress


class Watched:
    """An iterator over items that reports their number so far: after each 500, and at each `beat`."""

    def __init__(self, items: Iterable[Read], tell: Callable[[int], object]) -> None:
        self._items = items
        self._tell = tell
        self._read = 0

    def __iter__(self) -> Iterator[Read]:
        for item in self._items:
            yield item
            self._read += 1
            if self._read % EVERY == 0:
                self.beat()

    def beat(self) -> None:
        self._tell(self._read)


def trace_reader(source: Path | BinaryIO | Sequence[Path], rejects: Rejects | None, words: Reading) -> AnyReader:
    mapping = words.get("mapping")
    return read_traces(
        source,
        name=words.get("name") or _name_of(source),
        format=words.get("format", "auto"),
        source_label=words.get("source_label"),
        rule=rule_named(words.get("split", "auto"), words.get("think_tags")),
        mapping=ColumnMapping(mapping) if mapping else None,
        rejects=rejects,
        field=words.get("field"),
        encoding=words.get("encoding"),
    )


def _name_of(source: Path | BinaryIO | Sequence[Path]) -> str:
    if isinstance(source, Sequence):
        return source[0].name if len(source) == 1 else f"{len(source):,} files"
    return source.name if isinstance(source, Path) else "upload"


def teller(reader: AnyReader, total: int | None, on_progress: OnProgress | None) -> Callable[[int], object]:
    """Says how far the reader is, given what was read so far and the bytes that there are."""
    if on_progress is None:
        return lambda read: None
    began = time.perf_counter()
    return lambda read: on_progress(ImportProgress(read, reader.bytes_read, total, time.perf_counter() - began))


@contextmanager
def rejects_to(target: RejectsTo) -> Iterator[Rejects | None]:
    if target is None:
        yield None
    elif isinstance(target, Path):
        with rejects_file(target) as rejects:
            yield rejects
    else:
        rejects = target if isinstance(target, Rejects) else Rejects(target)
        yield rejects
        rejects.end()
