"""Tags, notes and scores: kept beside a trace, never part of it, gone when it is deleted."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces.scores import GivenScore, ScoredTrace, ScoreKind
from tunixrt_core.traces.trace import Step, Trace

ONE = Trace("a prompt", (Step(0, "first"), Step(1, "second")), "1")
REF = ONE.content_hash


def score(
    value: float, *, name: str = "quality", step: int | None = None, scorer: str = "ann", kind: ScoreKind = "human",
    version: str = "",
) -> GivenScore:  # fmt: skip
    return GivenScore(name=name, value=value, step=step, scorer=scorer, version=version, kind=kind)


def given(store: Store) -> list[GivenScore]:
    return [one.given for one in store.traces.get(REF).scores]


def test_tags_are_given_once_and_taken_away(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.tag(REF, ["good", " hard ", "good"])
    store.curation.tag(REF[:8], ["good"])
    assert store.traces.get(REF).tags == ("good", "hard")
    assert store.curation.tags() == [("good", 1), ("hard", 1)]
    store.curation.untag(REF, ["hard", "never given"])
    assert store.traces.page(TraceQuery(tags=("good",))).items[0].tags == ("good",)


def test_what_is_said_comes_in_the_order_of_its_names(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.tag(REF, ["note", "b", "B", "tag"])
    said = [
        score(0.1, name="b"),
        score(0.2, name="a", step=1),
        score(0.3, name="a"),
        score(0.4, name="a", scorer="bob"),
    ]
    store.curation.score(REF, said)
    store.curation.write_note(REF, "kept apart from the tag of that name")
    stored = store.traces.get(REF)
    assert stored.tags == ("B", "b", "note", "tag")
    assert [one.given.value for one in stored.scores] == [0.3, 0.4, 0.2, 0.1]
    assert stored.note is not None


@pytest.mark.parametrize("tag", ["", "  ", "two\nlines", "x" * 81, "nul\0"])
def test_a_tag_that_cannot_be_is_refused(store: Store, tag: str) -> None:
    store.traces.insert([ONE])
    with pytest.raises(InvalidQuery, match="A tag has 1 to 80 characters"):
        store.curation.tag(REF, ["fine", tag])
    assert store.traces.get(REF).tags == ()


def test_a_note_replaces_the_one_before_and_an_empty_one_removes_it(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.write_note(REF, "first\u2028 \r\n")
    store.curation.write_note(REF, "second")
    note = store.traces.get(REF).note
    assert note is not None
    assert (note.text, note.written_at.year) == ("second", 2026)
    store.curation.write_note(REF, " ")
    assert store.traces.get(REF).note is None
    with pytest.raises(InvalidQuery, match="at most 20,000 characters"):
        store.curation.write_note(REF, "x" * 20_001)
    with pytest.raises(InvalidQuery, match="NUL"):
        store.curation.write_note(REF, "a\0b")


def test_a_human_score_replaces_that_persons_earlier_one_only(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.score(REF, [score(0.2), score(0.9, scorer="bob"), score(1.0, step=1)])
    store.curation.score(REF, [score(0.5, version="a file's"), score(0.0, step=1)])
    assert sorted((one.scorer, one.step is None, one.value) for one in given(store)) == [
        ("ann", False, 0.0),
        ("ann", True, 0.5),
        ("bob", True, 0.9),
    ]


def test_automatic_scores_are_kept_by_version_and_apart_from_human_ones(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.score(REF, [score(0.1, kind="automatic", version="1"), score(0.3, kind="automatic", version="2")])
    store.curation.score(REF, [score(0.2, kind="automatic", version="1"), score(0.9)])
    assert sorted((one.kind, one.version, one.value) for one in given(store)) == [
        ("automatic", "1", 0.2),
        ("automatic", "2", 0.3),
        ("human", "", 0.9),
    ]
    assert [(one.kind, one.count, one.min, one.max) for one in store.curation.score_names()] == [
        ("automatic", 2, 0.2, 0.3),
        ("human", 1, 0.9, 0.9),
    ]
    assert store.traces.count(TraceQuery(score="quality", max_score=0.1)) == 0
    assert store.traces.count(TraceQuery(score="quality", max_score=0.25, score_kind="automatic")) == 1


def test_a_score_is_taken_back_and_one_that_is_not_there_is_named(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.score(REF, [score(1.0), score(0.0, step=0)])
    store.curation.unscore(REF, "quality", kind="human", scorer="ann", step=0)
    assert given(store) == [score(1.0)]
    with pytest.raises(NotFound, match="ann gave this trace none"):
        store.curation.unscore(REF, "quality", kind="human", scorer="ann", step=0)


def test_a_step_that_is_not_there_cannot_be_scored(store: Store) -> None:
    store.traces.insert([ONE])
    with pytest.raises(InvalidQuery, match="no step 2; its steps are 0 to 1"):
        store.curation.score(REF, [score(1.0), score(1.0, step=2)])
    assert given(store) == []


def test_scores_of_an_import_are_kept_also_of_a_trace_that_is_there(store: Store) -> None:
    rated = score(1.0, step=1, kind="automatic", scorer="prm800k", version="1")
    assert store.traces.insert([ScoredTrace(ONE, (rated,))]) == (1, 0)
    again = score(0.5, kind="automatic", scorer="other", version="1")
    assert store.traces.insert([ScoredTrace(ONE, (rated, again))]) == (0, 1)
    assert sorted(one.scorer for one in given(store)) == ["other", "prm800k"]


def test_what_is_said_survives_another_import_and_goes_with_the_trace(store: Store) -> None:
    store.traces.insert([ONE])
    store.curation.tag(REF, ["good"])
    store.curation.write_note(REF, "n")
    store.curation.score(REF, [score(1.0)])
    assert store.traces.insert([ONE]) == (0, 1)
    stored = store.traces.get(REF)
    assert (stored.tags, stored.note is not None, len(stored.scores)) == (("good",), True, 1)
    store.traces.delete(REF)
    assert store.curation.tags() == []
    assert store.traces.insert([ONE]) == (1, 0)
    stored = store.traces.get(REF)
    assert (stored.tags, stored.note, stored.scores) == ((), None, ())


def test_nothing_can_be_said_about_a_trace_that_is_not_there(store: Store) -> None:
    for say in (
        lambda: store.curation.tag("0" * 64, ["x"]),
        lambda: store.curation.write_note("0" * 64, "x"),
        lambda: store.curation.score("0" * 64, [score(1.0)]),
    ):
        with pytest.raises(NotFound):
            say()
