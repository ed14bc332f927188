"""Store: what a Pipeline does with the traces that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tunixrt_core.store.backup import Copy
from tunixrt_core.store.query import MOST_COUNTED, Count, Page, PromptGroup, ScoreName, StoredTrace, TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces.diff import TraceDiff, diff_traces
from tunixrt_core.traces.scores import GivenScore, ScoredTrace, ScoreKind
from tunixrt_core.traces.trace import Trace


class TraceVerbs:
    """The part of a Pipeline that finds, shows, judges, compares and deletes traces."""

    store: Store

    def add_trace(self, item: Trace | ScoredTrace) -> bool:
        """Store one trace, durably; whether it was new. Many threads at once share the wait for the disk."""
        return self.store.traces.insert_one(item)

    # --- find ---------------------------------------------------------------------------------------------------

    def traces(
        self, query: TraceQuery | None = None, *, after: str | None = None, limit: int = 50
    ) -> Page[StoredTrace]:
        """A page of traces, newest first. `after` is the `next` of the page before."""
        return self.store.traces.page(query or TraceQuery(), after=after, limit=limit)

    def trace(self, ref: str) -> StoredTrace:
        return self.store.traces.get(ref)

    def trace_neighbours(self, ref: str, query: TraceQuery | None = None) -> tuple[str | None, str | None]:
        return self.store.traces.neighbours(ref, query or TraceQuery())

    def count_traces(self, query: TraceQuery | None = None, *, most: int = MOST_COUNTED) -> Count:
        """How many match; where `exact` is false, at least that many. Beyond `most` only what is quick is counted."""
        return self.store.traces.count(query or TraceQuery(), most=most)

    def sources(self) -> list[tuple[str, int]]:
        return self.store.traces.sources()

    def models(self) -> list[tuple[str, int]]:
        return self.store.traces.models()

    def tags(self) -> list[tuple[str, int]]:
        """Every tag with its number of traces, the most used first."""
        return self.store.curation.tags()

    def score_names(self) -> list[ScoreName]:
        """Every name that scores go by, human and automatic ones apart."""
        return self.store.curation.score_names()

    def prompt_groups(self, *, min_traces: int = 2, after: str | None = None, limit: int = 20) -> Page[PromptGroup]:
        """Prompts with several traces: how many are right, the shortest right one, and whether they agree."""
        return self.store.groups.page(min_traces=min_traces, after=after, limit=limit)

    # --- judge --------------------------------------------------------------------------------------------------

    def tag_trace(self, ref: str, tags: Iterable[str]) -> None:
        self.store.curation.tag(ref, tags)

    def untag_trace(self, ref: str, tags: Iterable[str]) -> None:
        self.store.curation.untag(ref, tags)

    def note_trace(self, ref: str, text: str) -> None:
        """Keep a note in place of the one before; an empty one removes it."""
        self.store.curation.write_note(ref, text)

    def score_trace(self, ref: str, scores: Sequence[GivenScore]) -> None:
        """Keep scores of a trace or of its steps, each in place of the one that the same scorer gave before."""
        self.store.curation.score(ref, scores)

    def unscore_trace(self, ref: str, name: str, *, kind: ScoreKind, scorer: str, step: int | None = None) -> None:
        self.store.curation.unscore(ref, name, kind=kind, scorer=scorer, step=step)

    # --- compare, delete, look after ------------------------------------------------------------------------------

    def diff_traces(self, a: str, b: str) -> TraceDiff:
        """Two traces step by step and word by word."""
        return diff_traces(self.trace(a).trace, self.trace(b).trace)

    def delete_trace(self, ref: str) -> None:
        self.store.traces.delete(ref)

    def delete_traces(self, query: TraceQuery) -> int:
        """Delete all that match, in one transaction; they leave tombstones. Returns how many they were."""
        return self.store.traces.delete_matching(query)

    def backup_store(self, path: Path) -> Copy:
        """Copy the database to a new file while it is used, and check the copy."""
        return self.store.backup(path)
