"""Columns whose names say nothing are guessed by their values, and what fits nothing stays in meta."""

from __future__ import annotations

import pytest

from tunixrt_core.ingest.columns.guess import guessed_fields
from tunixrt_core.ingest.report import Column

FRAGE = ("frage", "What is 1+1?", "What is 2+2?")
WEG = ("weg", "Add one and one, which gives two.", "Two and two are four, as everybody knows.")


@pytest.mark.parametrize(
    ("columns", "guess"),
    [
        (
            [("nr", "1", "2"), FRAGE, WEG, ("stufe", "easy"), ("ergebnis", "2", "4"), ("punkte", "7", "8")],
            {"frage": "prompt", "weg": "steps", "ergebnis": "final_answer"},
        ),
        # one text behind the question: reasoning and answer may both be in it
        ([FRAGE, WEG], {"frage": "prompt", "weg": "final_answer"}),
        # no question marks: the first text
        ([("a", "Add one to one", "Add two to two"), ("b", "2", "4")], {"a": "prompt", "b": "final_answer"}),
        ([("سؤال", "كم هو حاصل اثنين؟"), ("جواب", "خمسة")], {"سؤال": "prompt", "جواب": "final_answer"}),
        ([("width", "1", "2"), ("height", "3", "4")], {}),
        ([("empty",)], {}),
        (
            [("chat", '[{"role": "user", "content": "What is it?"}]'), FRAGE, WEG],
            {"frage": "prompt", "weg": "final_answer"},
        ),
    ],
)
def test_a_column_is_guessed_by_the_look_of_its_values(columns: list[tuple[str, ...]], guess: dict[str, str]) -> None:
    assert guessed_fields([Column(name, "meta", tuple(values)) for name, *values in columns]) == guess


def test_what_a_name_says_is_not_guessed_again() -> None:
    named = Column("question", "prompt", ("What is 1+1?",))
    assert guessed_fields([named, Column("x", "meta", ("Why not?",))]) == {"x": "final_answer"}
