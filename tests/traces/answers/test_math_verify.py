"""math-verify on one pair: what it is asked in, and what comes back. In this process, on pairs that come to an end."""

from __future__ import annotations

import pytest

from tunixrt_core.traces.answers.math_verify import verdict


@pytest.mark.parametrize(
    ("given", "reference", "word"),
    [
        ("x^2+1", "1+x^2", "right"),
        ("(1,2)", "(1, 2)", "right"),
        (r"\frac{\sqrt{8}}{2}", r"\sqrt{2}", "right"),
        (r"\boxed{\frac{1}{2}}", "0.5", "right"),
        ("The answer is 72", "72", "right"),
        (r"\{1,2\}", r"\{2,1\}", "right"),
        ("(1,3)", "(1,2)", "wrong"),
        (r"\sqrt{3}", r"\sqrt{2}", "wrong"),
        ("Paris", "London", "unparsable"),
        ("it depends", r"\sqrt{2}", "unparsable"),
    ],
)
def test_expressions_are_compared_by_what_they_mean(given: str, reference: str, word: str) -> None:
    assert verdict(given, reference) == word
