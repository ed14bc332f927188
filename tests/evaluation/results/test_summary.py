"""What an evaluation comes to: means over rows, each with the interval that says how sure it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evaluation.answers import answer, side
from tunixrt_core.evaluation.results.statistics import bootstrap_interval, wilson_interval
from tunixrt_core.evaluation.results.summary import summarise


def test_every_score_has_its_mean_and_its_interval() -> None:
    lengths = [10.0, 20.0, 60.0, 30.0]
    told = [
        replace(p, scores={**p.scores, "length": length})
        for p, length in zip(side([1.0, 0.0, 1.0, 1.0]), lengths, strict=True)
    ]
    found = summarise(told, {"exact_match": 1, "length": 1})
    assert (found["exact_match"], found["length"]) == (0.75, 30.0)
    assert found["intervals"]["exact_match"] == list(wilson_interval(3, 4))
    assert found["intervals"]["length"] == list(bootstrap_interval(lengths))
    assert [found["exact_match_low"], found["exact_match_high"]] == found["intervals"]["exact_match"]


def test_several_answers_to_a_prompt_are_not_as_many_prompts() -> None:
    """The same four rows, answered once or a hundred times alike, are known no better."""
    once = side([1.0, 0.0, 1.0, 1.0])
    often = [replace(p, sample=sample) for p in once for sample in range(100)]
    one, many = summarise(once, {"exact_match": 1}), summarise(often, {"exact_match": 1})
    assert (many["rows"], many["answers"]) == (4, 400)
    assert many["intervals"] == one["intervals"]


def test_a_row_weighs_the_same_however_many_of_its_answers_could_be_scored() -> None:
    told = [answer(0, 1.0), answer(0, None, sample=1), answer(1, 0.0), answer(1, 0.0, sample=1)]
    assert summarise(told, {"exact_match": 1})["exact_match"] == pytest.approx(0.5)


def test_a_score_that_was_never_told_has_no_mean_and_no_interval() -> None:
    found = summarise(
        [replace(answer(0, 1.0), scores={"exact_match": 1.0, "proof": None})], {"exact_match": 1, "proof": 1}
    )
    assert found["proof"] is None
    assert "proof" not in found["intervals"]


def test_lengths_and_words_are_counted_per_answer() -> None:
    told = [
        replace(answer(0, 1.0), tokens=10, hit_limit=True, verdicts={"exact_match": "wrong: 5"}),
        replace(answer(0, 0.0, sample=1), tokens=20, verdicts={"exact_match": "wrong: 6"}),
        replace(answer(1, 0.0), tokens=60),
    ]
    found = summarise(told, {"exact_match": 1})
    assert (found["mean_tokens"], found["hit_limit"]) == (30.0, pytest.approx(1 / 3))
    assert found["verdicts"] == {"exact_match": {"wrong": 2}}
