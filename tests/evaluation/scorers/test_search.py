"""`contains` and `regex`: what is in the output, however hard the pattern is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.scorers.makers import answer_of
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.scorer import Score
from tunixrt_core.evaluation.scorers.search import contains, search


@given(st.text(), st.text(min_size=1), st.text())
def test_a_text_is_contained_in_every_text_around_it(before: str, text: str, after: str) -> None:
    assert contains(text)(answer_of(before + text + after)) == Score(1.0)


def test_contains_is_letter_by_letter() -> None:
    assert contains("Therefore")(answer_of("therefore")) == Score(0.0)


@pytest.mark.parametrize(("pattern", "word"), [(r"\d+", "found"), (r"^\d+$", "not found"), ("(?i)SO", "found")])
def test_a_pattern_matches_anywhere(pattern: str, word: str) -> None:
    assert search("so 5", pattern) == word


def test_a_pattern_is_searched_in_a_process_of_its_own() -> None:
    name = r"regex=so = \d"
    with ScorerSet([name]) as scorers:
        assert scorers.names == ("exact_match", "flexible_match", name)
        found = scorers.score([answer_of("so = 5"), answer_of("5")])
    assert [one[name] for one in found] == [Score(1.0), Score(0.0)]


def test_a_pattern_without_end_costs_its_answers_only() -> None:
    name = "regex=(a+)+$"
    began = time.monotonic()
    with ScorerSet([name]) as scorers:
        found = scorers.score([answer_of("a" * 60 + "!"), answer_of("aaa")])
    assert [one[name] for one in found] == [Score(None, "timeout"), Score(1.0)]
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("pattern", ["(", "[", "*", "a{99999999999}"])
def test_what_is_no_pattern_is_a_sentence_before_anything_runs(pattern: str) -> None:
    with pytest.raises(InvalidEvaluation, match="is not a regular expression"):
        ScorerSet([f"regex={pattern}"])
