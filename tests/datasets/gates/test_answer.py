"""The answer gate: text, then numbers, then math-verify; each row gets its word."""

from __future__ import annotations

import pytest

from tests.datasets.gates.makers import CLEAN, run_gate, trace
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.traces.answers.same import cheap_verdict


@pytest.mark.parametrize(
    ("answer", "reference", "verdict"),
    [
        ("72", "72", True),
        ("Paris.", "paris", True),
        ("$1,000", "1000", True),
        ("0.75", "3/4", True),
        ("75%", "0.75", True),
        ("12 cm", "12", True),
        ("71", "72", False),
        ("12 cm", "12 m", False),
        ("Paris", "London", None),
        (r"\sqrt{2}", r"2^{1/2}", None),
    ],
)
def test_what_text_and_numbers_can_tell_they_tell(answer: str, reference: str, verdict: bool | None) -> None:
    assert cheap_verdict(answer, reference) is verdict


def test_without_a_reference_nothing_matches_or_differs() -> None:
    assert answer_matches(trace(reference=None)) is None
    assert answer_matches(trace(answer="x", reference="y")) is False


def test_every_row_gets_its_word() -> None:
    rows = [
        trace("a", "5", "5"),
        trace("b", "6", "5"),
        trace("c", r"\frac{\sqrt{8}}{2}", r"\sqrt{2}"),
        trace("d", r"\sqrt{3}", r"\sqrt{2}"),
        trace("e", "it depends", r"\sqrt{2}"),
        trace("f", "5"),
    ]
    found = run_gate("answer", rows)
    assert found.counts == {"right": 2, "wrong": 2, "unparsable": 1, "no_reference": 1}
    assert {(f.hash, f.reason) for f in found.findings} == {
        (rows[1].content_hash, "wrong"),
        (rows[3].content_hash, "wrong"),
        (rows[4].content_hash, "unparsable"),
    }


def test_math_verify_is_not_asked_where_the_spec_says_no() -> None:
    found = run_gate("answer", [trace("c", r"\frac{\sqrt{8}}{2}", r"\sqrt{2}")], math="off")
    assert found.counts == {"unparsable": 1}
    assert run_gate("answer", [trace("c", "x y", "z")], math="off", wrong_only="on").findings == []


def test_sound_rows_pass() -> None:
    found = run_gate("answer", CLEAN)
    assert (found.findings, found.counts) == ([], {"right": len(CLEAN)})
