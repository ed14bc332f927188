"""Pairs and verdicts in the store: kept on both sides, and decided in SQL as in Python."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces.scores import VERDICTS, GivenScore, ScoredTrace, is_negative
from tunixrt_core.traces.trace import Trace

A, B, C = (Trace("p", (), answer) for answer in "abc")


def preferred(value: float, against: Trace) -> GivenScore:
    return GivenScore(name="preferred", value=value, scorer="preference", version="given", against=against.content_hash)


def test_a_trace_in_two_pairs_keeps_both_and_is_rejected_where_one_rejects_it(store: Store) -> None:
    store.traces.insert([ScoredTrace(A, (preferred(1, B),)), ScoredTrace(B, (preferred(0, A),))])
    store.traces.insert([ScoredTrace(B, (preferred(1, C),)), ScoredTrace(C, (preferred(0, B),))])
    store.traces.insert([ScoredTrace(A, (preferred(1, B),))])  # the same again
    kept = store.curation.scores_of(B.content_hash)
    assert sorted((score.value, score.against) for score in kept) == [(0, A.content_hash), (1, C.content_hash)]
    assert [score.against for score in store.curation.scores_of(A.content_hash)] == [B.content_hash]
    assert [one.hash for one in store.traces.select(TraceQuery(negative=False))] == [A.content_hash]
    assert store.traces.count(TraceQuery(negative=True)) == 2
    (shown,) = (one.scores for one in store.traces.page(TraceQuery(text="")).items if one.id == A.content_hash)
    assert shown[0].to_dict()["against"] == B.content_hash


@given(
    given_scores=st.lists(
        st.builds(
            GivenScore,
            name=st.sampled_from([*VERDICTS, "quality"]),
            value=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
            step=st.sampled_from([None, None, 0]),
            scorer=st.sampled_from(["x", "y"]),
            version=st.just("1"),
            kind=st.sampled_from(["automatic", "human"]),
        ),
        max_size=6,
        unique_by=lambda score: (score.name, score.step, score.scorer, score.kind),
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_store_decides_as_the_rule_in_python_does(store: Store, given_scores: list[GivenScore]) -> None:
    trace = Trace.from_dict({"prompt": "p", "steps": ["s"], "final_answer": "a"})
    store.traces.insert([ScoredTrace(trace, tuple(given_scores))])
    found = [one.hash for one in store.traces.select(TraceQuery(negative=True))]
    assert (trace.content_hash in found) is is_negative(given_scores)
    store.traces.delete(trace.content_hash)
    assert store.traces.count(TraceQuery(negative=False)) == 0, "a tombstone is no example"


@pytest.mark.parametrize(
    ("scores", "negative"),
    [
        ([("label", 0, "automatic")], True),
        ([("label", 0, "automatic"), ("label", 1, "human")], False),
        ([("correct", 0, "automatic"), ("correct", 1, "automatic")], False),
        ([("preferred", 0, "automatic"), ("preferred", 1, "automatic")], True),
        ([("label", 1, "automatic"), ("weight", 0, "automatic")], True),
        ([("quality", 0, "human")], False),
    ],
)
def test_which_scores_make_a_negative_example(scores: list[tuple[str, float, str]], negative: bool) -> None:
    given = [
        GivenScore(name=name, value=value, scorer=str(i), version="1", kind=kind)  # type: ignore[arg-type]
        for i, (name, value, kind) in enumerate(scores)
    ]
    assert is_negative(given) is negative
