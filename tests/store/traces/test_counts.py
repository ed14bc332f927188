"""Counts say how many there are, and how many came since a moment, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Trace

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_new_traces_are_those_of_the_time_that_are_still_there(any_url: str) -> None:
    clock = [NOW - 3 * WEEK]
    with open_store(any_url, clock=lambda: clock[0]) as store:
        store.traces.insert(Trace(f"old {n}", (), "1") for n in range(5))
        clock[0] = NOW
        fresh = [Trace(f"new {n}", (), "1") for n in range(3)]
        store.traces.insert(fresh)
        assert store.counts.traces(NOW - WEEK) == (8, 3)
        store.traces.delete(fresh[0].content_hash)
        assert store.counts.traces(NOW - WEEK) == (7, 2)
        assert store.counts.traces(NOW - 4 * WEEK) == (7, 7)
        store.traces.delete_matching(TraceQuery(after=NOW - 4 * WEEK))
        assert store.counts.traces(NOW - WEEK) == (0, 0)


def test_an_empty_store_counts_nothing(any_url: str) -> None:
    with open_store(any_url) as store:
        counts = store.counts
        assert [counts.traces(NOW), counts.dataset_versions(NOW), counts.runs(NOW)] == [(0, 0)] * 3
