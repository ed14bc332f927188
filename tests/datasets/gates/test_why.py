"""Why a gate stopped at a row, as a person reads it, also when a trace is gone."""

from __future__ import annotations

import re

import pytest

from tests.datasets.gates.makers import trace
from tunixrt_core.datasets.gates import why
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.why import snippet, view


def test_a_snippet_shows_what_differs_with_some_words_around() -> None:
    a = "Tom sold 48 clips in April and then half as many in May to all of his friends"
    b = a.replace("48", "52 red").replace("friends", "enemies now")
    assert snippet(a, b) == "Tom sold [-48-]{+52 red+} clips in April and … to all of his [-friends-]{+enemies now+}"
    assert snippet("the same", "the  same") == "… the same" or snippet("the same", "the  same") == "the same"
    assert len(snippet("a " * 9_000, "b " * 9_000)) <= 400


def test_a_stretch_is_shown_with_its_surroundings() -> None:
    row = trace(prompt="x" * 100 + "<think>" + "y" * 100)
    found = view(3, Finding(row.content_hash, "unclosed", {"field": "prompt", "start": 100, "end": 107}), row, None)
    assert (found.before, found.span, found.after) == ("x" * 60, "<think>", "y" * 60)
    assert found.to_dict()["span"] == "<think>"


def test_a_pair_shows_what_differs_from_the_other_row() -> None:
    a, b = trace(prompt="one two three"), trace(prompt="one two four")
    detail = {"other": a.content_hash, "jaccard": 0.9}
    found = view(0, Finding(b.content_hash, "near_duplicate", detail), b, a)
    assert found.words == "90% of the word n-grams are those of another row."
    assert "[-three-]{+four+}" in found.differs


def test_a_deleted_trace_leaves_its_reason() -> None:
    found = view(0, Finding("a" * 64, "wrong", {"field": "final_answer"}), None, None)
    assert found.words.endswith("The trace was deleted since.")
    assert found.to_dict()["prompt"] is None


@pytest.mark.parametrize("reason", list(why._REASONS))
def test_every_reason_has_its_sentence(reason: str) -> None:
    detail = {"value": 0.5, "jaccard": 0.9, "words": 13} if reason != "too_long" else {"value": 5_000}
    assert re.match(r"[\w<].*\.$", view(0, Finding("a" * 64, reason, detail), trace(), None).words)
