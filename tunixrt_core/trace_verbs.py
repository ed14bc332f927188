"""Store: what a Pipeline does with the traces that are there."""

from __future__ import annotations

from tunixrt_core.store.query import Page, StoredTrace, TraceQuery
from tunixrt_core.store.store import Store


class TraceVerbs:
    """The part of a Pipeline that finds, shows and deletes traces."""

    store: Store

    def traces(
        self, query: TraceQuery | None = None, *, after: str | None = None, limit: int = 50
    ) -> Page[StoredTrace]:
        """A page of traces, newest first. `after` is the `next` of the page before."""
        return self.store.traces.page(query or TraceQuery(), after=after, limit=limit)

    def trace(self, ref: str) -> StoredTrace:
        return self.store.traces.get(ref)

    def trace_neighbours(self, ref: str, query: TraceQuery | None = None) -> tuple[str | None, str | None]:
        return self.store.traces.neighbours(ref, query or TraceQuery())

    def count_traces(self, query: TraceQuery | None = None) -> int:
        return self.store.traces.count(query or TraceQuery())

    def sources(self) -> list[tuple[str, int]]:
        return self.store.traces.sources()

    def delete_trace(self, ref: str) -> None:
        self.store.traces.delete(ref)
