"""Filters: each finds what a plain look at every trace finds, alone and with others, rare or common."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.errors import InvalidQuery
from tunixrt_core.store.query import StoredTrace, TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.store.traces import filters
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace

START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(store: Store) -> list[StoredTrace]:
    """Sixty traces of all kinds, imported in six parts, with tags, notes and scores; newest first. One was deleted."""
    rng = random.Random(0)
    made = []
    for n in range(60):
        steps = tuple(Step(i, f"{rng.choice(('red', 'green'))} word {n}") for i in range(rng.randrange(4)))
        reference = rng.choice(("1", "2", None))
        source, model = rng.choice(("a", "b", None)), rng.choice(("m", None))
        made.append(Trace(f"prompt {n // 2}", steps, "1", {"n": n}, None, reference, source, model))
    for start in range(0, 60, 10):
        store.traces.insert(made[start : start + 10])
    for n, one in enumerate(made):
        if n % 3 == 0:
            store.curation.tag(one.content_hash, ["third"] if n % 2 else ["third", "even"])
        if n % 7 == 0:
            store.curation.write_note(one.content_hash, "seen")
        if n % 4 == 0:
            kind = "human" if n % 8 else "automatic"
            given = GivenScore(name="q", value=n / 60, scorer="x", version="1", kind=kind)  # type: ignore[arg-type]
            store.curation.score(one.content_hash, [given])
    store.traces.delete(made[30].content_hash)
    return list(store.traces.page(TraceQuery(), limit=100).items)


def matches(one: StoredTrace, query: TraceQuery) -> bool:
    """What the store must find, said without SQL."""
    trace, right = one.trace, answer_matches(one.trace)
    text = " ".join((trace.prompt, *(step.content for step in trace.steps), trace.final_answer)).split()
    scores = [s.given for s in one.scores if query.score in (None, s.given.name)]
    scores = [g for g in scores if query.score_kind in (None, g.kind)]
    scores = [g for g in scores if _within(g.value, query.min_score, query.max_score)]
    asked: dict[str, Callable[[], bool]] = {
        "text": lambda: query.text in text,
        "source": lambda: trace.source == query.source,
        "model": lambda: trace.model == query.model,
        "tags": lambda: set(query.tags) <= set(one.tags),
        "correct": lambda: right is query.correct,
        "judged": lambda: (right is not None) is query.judged,
        "score": lambda: bool(scores),
        "score_kind": lambda: bool(scores),
        "min_steps": lambda: len(trace.steps) >= (query.min_steps or 0),
        "max_steps": lambda: len(trace.steps) <= (query.max_steps or 0),
        "min_length": lambda: len(trace.canonical) >= (query.min_length or 0),
        "max_length": lambda: len(trace.canonical) <= (query.max_length or 0),
        "after": lambda: one.created_at >= (query.after or START),
        "before": lambda: one.created_at < (query.before or START),
        "noted": lambda: (one.note is not None) is query.noted,
        "group": lambda: trace.group_key == query.group,
    }
    return all(asked.get(name, lambda: True)() for name in query.asked())


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["red", "green", "word", "12", "nowhere"]),
    "source": st.sampled_from(["a", "b", "none"]),
    "model": st.sampled_from(["m", "none"]),
    "tags": st.sampled_from([("third",), ("even",), ("third", "even"), ("none",)]),
    "correct": st.booleans(),
    "judged": st.booleans(),
    "score_kind": st.sampled_from(["human", "automatic"]),
    "min_steps": st.integers(0, 4),
    "max_steps": st.integers(0, 4),
    "min_length": st.integers(100, 300),
    "max_length": st.integers(100, 300),
    "after": st.integers(0, 60).map(lambda n: START + timedelta(seconds=n)),
    "before": st.integers(0, 60).map(lambda n: START + timedelta(seconds=n)),
    "noted": st.booleans(),
    "group": st.sampled_from([Trace("prompt 3", (), "1").group_key, "0" * 64]),
}
_SCORED = st.fixed_dictionaries({"score": st.sampled_from(["q", "none"])}, optional={
    "min_score": st.floats(0, 1), "max_score": st.floats(0, 1)
})  # fmt: skip


@pytest.mark.parametrize("rare", [2_000, 5, 0])
def test_filters_find_what_a_look_at_every_trace_finds(
    store: Store, rare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "RARE", rare)  # so that every way to lead a query is gone
    every = fill(store)

    # where neither is rare, one leads the query and the other is checked
    @example(asked={"tags": ("third", "even")}, scored=None)
    @settings(max_examples=examples(70), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(asked=st.fixed_dictionaries({}, optional=_VALUES), scored=st.none() | _SCORED)
    def check(asked: dict[str, Any], scored: dict[str, Any] | None) -> None:
        query = TraceQuery(**asked, **(scored or {}))
        expected = [one.id for one in every if matches(one, query)]
        assert [one.id for one in store.traces.page(query, limit=100).items] == expected
        assert store.traces.count(query) == len(expected)
        assert [one.hash for one in store.traces.select(query)] == expected
        if len(expected) > 2:
            first = store.traces.page(query, limit=2)
            assert [one.id for one in store.traces.page(query, after=first.next, limit=100).items] == expected[2:]

    check()


def test_dates_may_be_text_and_without_a_zone_are_utc(store: Store) -> None:
    fill(store)
    query = TraceQuery(after="2026-01-01", before="2026-01-01T00:00:01.5")  # type: ignore[arg-type]
    assert store.traces.count(query) == 10
    assert query == replace(query, after=START)
    with pytest.raises(InvalidQuery, match="is not a date such as"):
        TraceQuery(after="yesterday")  # type: ignore[arg-type]


def test_a_range_of_a_score_needs_its_name() -> None:
    with pytest.raises(InvalidQuery, match="min_score: goes with the name"):
        TraceQuery(min_score=0.5)


@pytest.mark.parametrize("value", ["a\0", "\ud800"])
def test_what_no_database_can_be_asked_is_refused(value: str) -> None:
    with pytest.raises(InvalidQuery, match="source: holds a character"):
        TraceQuery(source=value)


def test_counting_stops_at_ten_thousand_and_says_so(store: Store) -> None:
    store.traces.insert(Trace(f"p{n}", (Step(0, "x"),), "1", source="s") for n in range(10_002))
    assert (store.traces.count(TraceQuery()), store.traces.count(TraceQuery()).exact) == (10_002, True)
    assert store.traces.count(TraceQuery(source="s")).words == "10,002"
    many = store.traces.count(TraceQuery(text="x", source="s"))
    assert (int(many), many.exact, many.words) == (10_000, False, "10,000+")
    few = store.traces.count(TraceQuery(text="p77"))
    assert few.exact
    assert few == 1


def test_tallies_are_those_of_the_traces_after_inserts_and_deletions(store: Store) -> None:
    every = fill(store)
    for one in every[:20]:
        store.traces.delete(one.id)
    store.traces.insert([one.trace for one in every[:5]])
    left = list(store.traces.page(TraceQuery(), limit=100).items)
    for name, values in (("source", ("a", "b")), ("model", ("m",)), ("correct", (True, False)), ("judged", (False,))):
        for value in values:
            query = TraceQuery(**{name: value})  # type: ignore[arg-type]
            assert store.traces.count(query) == sum(matches(one, query) for one in left)
    assert store.check().problems == ()


def test_all_that_match_are_deleted_at_once_and_never_without_a_filter(store: Store) -> None:
    every = fill(store)
    old = TraceQuery(source="a", before=every[20].created_at)
    expected = [one.id for one in every if not matches(one, old)]
    assert store.traces.delete_matching(old) == len(every) - len(expected)
    assert [one.id for one in store.traces.page(TraceQuery(), limit=100).items] == expected
    assert store.traces.delete_matching(old) == 0
    with pytest.raises(InvalidQuery, match="without one, every trace would go"):
        store.traces.delete_matching(TraceQuery())
    assert store.check().problems == ()
