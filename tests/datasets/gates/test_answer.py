"""The answer gate: what answers say, then math-verify for formulas; each row gets its word."""

from __future__ import annotations

from tests.datasets.gates.makers import CLEAN, run_gate, trace
from tunixrt_core.datasets.gates.rules.answer import GATE, answer_matches
from tunixrt_core.traces.answers.comparison import COMPARISON_VERSION


def test_without_a_reference_nothing_matches_or_differs() -> None:
    assert answer_matches(trace(reference=None)) is None
    assert answer_matches(trace(answer="x", reference="y")) is False


def test_what_was_not_understood_is_not_called_wrong() -> None:
    rows = [
        trace("a", "yes", "no"),
        trace("b", "Paris", "London"),
        trace("c", "**4**", "4"),
        trace("d", "50 cents", "$0.50"),
        trace("e", "automobile", "car"),
        trace("f", "about 7", "7"),
    ]
    found = run_gate("answer", rows, wrong_only="on")
    assert found.counts == {"wrong": 2, "right": 2, "unparsable": 2}
    assert {one.hash for one in found.findings} == {row.content_hash for row in rows[:2]}


def test_the_version_of_the_gate_is_that_of_the_comparison() -> None:
    assert GATE.version == COMPARISON_VERSION == 2


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
