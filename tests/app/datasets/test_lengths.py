"""The text alternative of the token histogram says what it shows."""

from __future__ import annotations

from app.datasets.lengths import finding
from tunixrt_core.datasets.lengths import estimate_many, measure
from tunixrt_core.traces.trace import Step, Trace


def trace(words: int) -> Trace:
    return Trace("abcd", (Step(0, "abc " * words),), "1")


def test_it_names_the_middle_the_longest_and_the_most_common() -> None:
    rows = [*((trace(n), "train") for n in (10, 11, 50)), (trace(20), "eval")]
    said = finding(measure(rows, estimate_many, "an estimate"))  # type: ignore[arg-type]
    assert said.startswith("Tokens per row, an estimate. Train rows: median ")
    train, evaluated = said.split(". ")[1:]
    assert "longest 5" in train
    assert "most have 1" in train
    assert evaluated.startswith("Eval rows: median 2")


def test_a_version_without_rows_is_said_to_have_none() -> None:
    assert finding(measure([], estimate_many, "an estimate")) == "There are no rows."
