"""A gain over the base is divided into what is left over the base in its own prompt, and the prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evaluation.answers import answer
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.own_gain import own_gain


def side(flexible: str, *, strict: str = "", cut: int = 0) -> list[Prediction]:
    """One answer per digit: its score in any form; the first `cut` ended at the token limit."""
    return [
        replace(
            answer(row, float(a)),
            scores={"exact_match": float((strict or flexible)[row]), "flexible_match": float(a)},
            hit_limit=row < cut,
        )
        for row, a in enumerate(flexible)
    ]


def test_what_the_base_has_right_in_its_own_prompt_is_no_gain() -> None:
    base, own, tuned = side("0000000000"), side("1111000000"), side("1111110000")
    found = own_gain(base, tuned, own)
    assert found is not None
    assert (found.gain.value, found.prompt, found.fixed, found.broken) == (pytest.approx(0.2), 0.4, 2, 0)
    assert "Over the base in its own prompt: +0.200 (+0.000 to +0.500, not clear), p = 0.5." in found.sentence
    assert "Prompt alone: +0.400." in found.sentence
    assert "limit" not in found.sentence


def test_the_parts_of_a_gain_add_up() -> None:
    """Right and in format = over the base in its own prompt + prompt + format."""
    base = side("0110000000", strict="0000000000")
    found = compare(base, side("1111110011", strict="1111110001"), own=side("1101000000"))
    assert found.own_gain is not None
    assert found.format_gain is not None
    parts = found.own_gain.gain.value + found.own_gain.prompt + found.format_gain.format
    assert parts == pytest.approx(found.format_gain.strict.value)


def test_its_p_value_is_mcnemars_on_the_rows_that_changed() -> None:
    from scipy.stats import binomtest

    own, tuned = side("1" * 3 + "0" * 17), side("0" * 1 + "1" * 12 + "0" * 7)
    found = own_gain(side("0" * 20), tuned, own)
    assert found is not None
    assert (found.fixed, found.broken) == (10, 1)
    assert found.p_value == pytest.approx(binomtest(1, 11).pvalue, abs=1e-12)


def test_only_rows_that_all_three_answered_count() -> None:
    found = own_gain(side("0000"), side("1111"), side("01"))
    assert found is not None
    assert (found.rows, found.gain.value, found.base, found.own) == (2, 0.5, 0.0, 0.5)
    changed = [replace(p, prompt="Another task") for p in side("0000")]
    assert own_gain(side("0000"), side("1111"), changed) is None


def test_answers_that_were_cut_off_are_named() -> None:
    found = own_gain(side("0000"), side("1111"), side("0011", cut=2))
    assert found is not None
    assert found.sentence.endswith("50% of the base's own answers ended at the token limit: raise it.")


def test_without_such_an_evaluation_there_is_no_such_gain() -> None:
    assert compare(side("00"), side("11")).own_gain is None
    unscored = [replace(p, scores={"exact_match": 0.0}) for p in side("00")]
    assert compare(side("00"), side("11"), own=unscored).own_gain is None
