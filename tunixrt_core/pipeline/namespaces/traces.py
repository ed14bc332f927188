"""Traces: import, find, judge, compare and delete."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack

from tunixrt_core.store.query import MOST_COUNTED, Count, Page, PromptGroup, ScoreName, StoredTrace, TraceQuery
from tunixrt_core.traces.examples import DEFAULT_COUNT, example_traces
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from tunixrt_core.datasets.held import HeldRows
    from tunixrt_core.ingest.options import Reading
    from tunixrt_core.ingest.progress import OnProgress, RejectsTo
    from tunixrt_core.ingest.report import Diagnosis, ImportReport, Preview, Read, Warnings
    from tunixrt_core.jobs.imports import FileRead, ImportKind, Imports, Source
    from tunixrt_core.store.store import Store
    from tunixrt_core.traces.diff import TraceDiff
    from tunixrt_core.traces.scores import GivenScore, ScoredTrace, ScoreKind
    from tunixrt_core.traces.trace import Trace
    from tunixrt_core.util.tasks import Task

_ALL = TraceQuery()


class Traces:
    """The traces of a home."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @made_once
    def imports(self) -> Imports:
        """Imports and checks in the background."""
        from tunixrt_core.jobs.imports import Imports

        return Imports(self.ingest, self.diagnose)

    def begin(
        self, kind: ImportKind, source: Source, *, key: Hashable = None, **words: Unpack[Reading]
    ) -> Task[FileRead]:
        """Import a file in the background, or check it; see `Imports.begin`."""
        return self.imports.begin(kind, source, key=key, **words)

    def stop_import(self, task_id: str) -> Task[FileRead]:
        """Stop an import, or a check, in the background; its traces are not stored. Raises NotFound."""
        return self.imports.stop(task_id)

    def close(self, seconds: float) -> None:
        """Stop imports in the background, and wait for them at most `seconds`."""
        if "imports" in vars(self):
            self.imports.close(seconds)

    def ingest(
        self,
        source: Path | BinaryIO | Sequence[Path],
        *,
        rejects: RejectsTo = None,
        on_progress: OnProgress | None = None,
        **words: Unpack[Reading],
    ) -> ImportReport:
        """Read traces into the store, in one transaction: read = inserted + duplicate + rejected.

        `source` is a file, several, a directory of some, a zip or tar file, or a stream. `rejects` is given the
        rejected rows, byte for byte. What `on_progress` raises ends it, with nothing stored; it is called while the
        database writes too, and a last time before the commit. Raises UnreadableFile, with nothing stored, where a file
        as a whole cannot be read.
        """
        from tunixrt_core.ingest.files.opening import size_of
        from tunixrt_core.ingest.progress import Watched, rejects_to, teller, trace_reader

        total = size_of(source)
        with rejects_to(rejects) as rejected:
            reader = trace_reader(source, rejected, words)
            watched = Watched(reader, teller(reader, total, on_progress))
            report = self.add_many(watched, reader.name, reader.format, beat=watched.beat, warnings=reader.warnings)
        return replace(report, format=reader.format, notes=tuple(reader.notes))

    def preview(self, source: Path | BinaryIO | Sequence[Path], **words: Unpack[Reading]) -> Preview:
        """What `ingest` with the same words would make of the first rows. Stores nothing. Raises UnreadableFile."""
        from tunixrt_core.ingest.preview import preview_of
        from tunixrt_core.ingest.progress import trace_reader

        return preview_of(trace_reader(source, None, words))

    def diagnose(
        self,
        source: Path | BinaryIO | Sequence[Path],
        *,
        rejects: RejectsTo = None,
        on_progress: OnProgress | None = None,
        **words: Unpack[Reading],
    ) -> Diagnosis:
        """Read a whole file and report its contents; store nothing. Raises UnreadableFile."""
        from tunixrt_core.ingest.files.opening import size_of
        from tunixrt_core.ingest.preview import diagnose
        from tunixrt_core.ingest.progress import EVERY, rejects_to, teller, trace_reader

        total = size_of(source)
        with rejects_to(rejects) as rejected:
            reader = trace_reader(source, rejected, words)
            tell = teller(reader, total, on_progress)
            return diagnose(reader, lambda: tell(reader.rows) if reader.rows % EVERY == 0 else None)

    def formats(self) -> tuple[str, ...]:
        """The names of the formats that can be read, in the order of detection."""
        from tunixrt_core.ingest.formats.detect import FORMATS

        return tuple(FORMATS)

    def ingest_examples(self, n: int = DEFAULT_COUNT, seed: int = 0) -> ImportReport:
        """The bundled example traces: small arithmetic tasks that the tiny model can learn in minutes."""
        return self.add_many(example_traces(n, seed), "bundled examples")

    def add_many(
        self,
        traces: Iterable[Read],
        name: str = "api",
        format: str = "trace",
        *,
        beat: Callable[[], object] | None = None,
        warnings: Warnings | None = None,
    ) -> ImportReport:
        """Store traces made elsewhere, such as by a script, in one transaction: read = inserted + duplicate + rejected.

        `name` and `format` are shown in the report; `beat` is called while the database writes. `warnings` are those of
        the reader of the traces.
        """
        from tunixrt_core.ingest.report import Tally

        began = time.perf_counter()
        tally = Tally(name, format)
        counts = self._store.traces.insert(tally.traces(traces), beat=beat)
        return tally.report(
            inserted=counts.inserted,
            duplicate=counts.duplicate,
            seconds=time.perf_counter() - began,
            warnings=warnings.found if warnings else (),
        )

    def add(self, item: Trace | ScoredTrace) -> bool:
        """Store one trace, durably; whether it was new. Many threads at once share the wait for the disk."""
        return self._store.traces.insert_one(item)

    # --- find --------------------------------------------------------------------------------------------------------

    def page(self, query: TraceQuery | None = None, *, after: str | None = None, limit: int = 50) -> Page[StoredTrace]:
        """A page of traces, newest first. `after` is the `next` of the page before."""
        if query is None or query == _ALL:
            return self._store.listing.traces(after, limit)
        return self._store.traces.page(query, after=after, limit=limit)

    def get(self, ref: str) -> StoredTrace:
        return self._store.listing.trace(ref)

    def cursor_at(self, ref: str) -> str:
        """The cursor of the page that begins with a trace, where the trace matches the query. Raises NotFound."""
        return self._store.listing.cursor_at(ref)

    def count(self, query: TraceQuery | None = None, *, most: int = MOST_COUNTED) -> Count:
        """How many match; where `exact` is false, at least that many. Beyond `most` only what is quick is counted."""
        if query is None or query == _ALL:
            return Count(self._store.listing.trace_count())
        return self._store.traces.count(query, most=most)

    def sources(self) -> list[tuple[str, int]]:
        return self._store.traces.sources()

    def models(self) -> list[tuple[str, int]]:
        return self._store.traces.models()

    def tags(self) -> list[tuple[str, int]]:
        """Every tag with its number of traces, the most used first."""
        return self._store.curation.tags()

    def score_names(self) -> list[ScoreName]:
        """Every name that scores go by, human and automatic ones apart."""
        return self._store.curation.score_names()

    def prompt_groups(self, *, min_traces: int = 2, after: str | None = None, limit: int = 20) -> Page[PromptGroup]:
        """Prompts with several traces: how many are right, the shortest right one, and whether they agree."""
        return self._store.groups.page(min_traces=min_traces, after=after, limit=limit)

    # --- judge -------------------------------------------------------------------------------------------------------

    def tag(self, ref: str, tags: Iterable[str]) -> None:
        self._store.curation.tag(ref, tags)

    def untag(self, ref: str, tags: Iterable[str]) -> None:
        self._store.curation.untag(ref, tags)

    def note(self, ref: str, text: str) -> None:
        """Write a note, replacing the previous one; an empty one removes it."""
        self._store.curation.write_note(ref, text)

    def score(self, ref: str, scores: Sequence[GivenScore]) -> None:
        """Store scores of a trace or of its steps, each replacing the previous one of the same scorer."""
        self._store.curation.score(ref, scores)

    def unscore(self, ref: str, name: str, *, kind: ScoreKind, scorer: str, step: int | None = None) -> None:
        self._store.curation.unscore(ref, name, kind=kind, scorer=scorer, step=step)

    # --- compare and delete ------------------------------------------------------------------------------------------

    def diff(self, a: str, b: str) -> TraceDiff:
        """Two traces step by step and word by word."""
        from tunixrt_core.traces.diff import diff_traces

        return diff_traces(self.get(a).trace, self.get(b).trace)

    def held_by(self, wanted: TraceQuery | str) -> Sequence[HeldRows]:
        """The dataset versions that list a trace, or any of those that match, with their runs and evaluations.

        Name them before a deletion: what was exported of them is kept, a new export lacks these rows.
        """
        meant = self.get(wanted).id if isinstance(wanted, str) else wanted
        return self._store.datasets.holding(meant)

    def delete(self, ref: str) -> None:
        self._store.traces.delete(ref)

    def delete_matching(self, query: TraceQuery) -> int:
        """Delete all that match, in one transaction; they leave tombstones. Returns how many they were."""
        return self._store.traces.delete_matching(query)
