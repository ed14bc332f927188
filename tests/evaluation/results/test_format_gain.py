"""A gain is divided into right answers and format."""

from __future__ import annotations

from dataclasses import replace

from tests.evaluation.answers import answer
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.format_gain import format_gain


def side(strict: str, flexible: str) -> list[Prediction]:
    """One answer per digit: its score in format and in any form."""
    return [
        replace(answer(row, float(a)), scores={"exact_match": float(a), "flexible_match": float(b)})
        for row, (a, b) in enumerate(zip(strict, flexible, strict=True))
    ]


def test_answers_that_were_right_before_in_another_form_are_a_gain_of_format() -> None:
    base, tuned = side("0000000000", "1111100000"), side("1111110000", "1111110000")
    found = format_gain(base, tuned)
    assert found is not None
    assert (found.strict.value, round(found.flexible.value, 3), round(found.format, 3)) == (0.6, 0.1, 0.5)
    assert "Right in any form: +0.100 (+0.000 to +0.300, not clear)" in found.sentence
    assert "Format alone: +0.500." in found.sentence


def test_a_comparison_by_any_scorer_holds_the_division() -> None:
    base, tuned = side("00", "10"), side("11", "11")
    assert compare(base, tuned, "flexible_match").format_gain == format_gain(base, tuned)


def test_a_side_that_was_scored_in_one_way_only_has_no_division() -> None:
    assert format_gain([answer(0, 1.0)], side("1", "1")) is None
