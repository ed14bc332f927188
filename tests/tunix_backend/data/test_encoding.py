"""Traces to token rows: every token knows what it belongs to, and nothing that matters is cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tunixrt_core.errors import TrainingError
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Piece, Rendered
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.data.encoding import (
    FIRST_TRAINED,
    Part,
    Parts,
    RowEncoder,
    TokenRows,
    require_rows,
    without_middle_steps,
)


class Letters:
    """An encoder with one token a letter."""

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]

    def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        return [([ord(letter) for letter in text], [(i, i + 1) for i in range(len(text))]) for text in texts]


class Pairs(Letters):
    """An encoder with one token for two letters, wherever a part of the text ends."""

    def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        return [([1] * len(range(0, len(t), 2)), [(i, i + 2) for i in range(0, len(t), 2)]) for t in texts]


def plain(trace: Trace) -> Rendered:
    return render(trace, ReasoningStyle.PLAIN, ChatFormat.NONE)


def trace(*steps: str, answer: str = "9", prompt: str = "p") -> Trace:
    return Trace(prompt, tuple(Step(i, text, "plan" if i == 0 else "compute") for i, text in enumerate(steps)), answer)


def encoder(max_length: int = 100, **options: object) -> RowEncoder:
    return RowEncoder(Letters(), plain, max_length=max_length, **options)  # type: ignore[arg-type]


def text_of(row: object) -> str:
    return "".join(chr(i) for i in row.tokens)  # type: ignore[attr-defined]


def test_every_token_knows_its_part_of_the_trace() -> None:
    made = encoder()
    row = made.encode(trace("aa", "b"))
    named = [(letter, str(made.parts[part])) for letter, part in zip(text_of(row), row.parts, strict=True)]
    assert named == [
        ("p", "prompt"), ("\n", "prompt"), ("a", "step 1"), ("a", "step 1"), ("\n", "format"), ("b", "step 2"),
        *(((letter, "format")) for letter in "\n#### "), ("9", "answer"), ("\n", "format"), ("\n", "format"),
    ]  # fmt: skip
    assert [made.parts[i].type for i in row.parts[2:6]] == ["plan", "plan", "", "compute"]


def test_what_a_layout_holds_is_format_and_an_answer_within_a_step_is_the_answer() -> None:
    steps = Step(0, "a", "plan"), Step(1, "b"), Step(2, "=9.", "solution")
    laid_out = Trace("p", steps, "9", layout=Layout((" ", "\n1. ", "!"), solution=1, answer_at=1))
    made = RowEncoder(Letters(), lambda t: render(t, ReasoningStyle.THINK, ChatFormat.NONE), max_length=99)
    row = made.encode(laid_out)
    named = [(letter, str(made.parts[part])) for letter, part in zip(text_of(row), row.parts, strict=True)]
    assert named[2:] == [
        *((letter, "format") for letter in "<think>\n "), ("a", "step 1"), *((letter, "format") for letter in "\n1. "),
        ("b", "step 2"), *((letter, "format") for letter in "!\n</think>\n\n"),
        ("=", "step 3"), ("9", "answer"), (".", "step 3"), ("\n", "format"), ("\n", "format"),
    ]  # fmt: skip


def test_steps_that_are_dropped_take_what_stands_before_them_along() -> None:
    steps = tuple(Step(i, text) for i, text in enumerate("abcdef"))
    laid_out = Trace("p", steps, "9", layout=Layout(("0", "1", "2", "3", "4"), solution=2, before_answer="="))
    found = [without_middle_steps(laid_out, count).layout for count in range(1, 5)]
    assert found == [
        Layout(("0", "1", "2", "4"), solution=2, before_answer="="),
        Layout(("0", "1", "4"), solution=2, before_answer="="),
        Layout(("0", "1", "4"), solution=1, before_answer="="),
        Layout(("0", "4"), solution=1, before_answer="="),
    ]


def test_a_token_over_a_border_belongs_to_where_its_middle_lies() -> None:
    parts = Parts()
    pieces = (Piece("\n"), Piece("abc", "step", 0, "t"), Piece("\n\n"))
    row = RowEncoder(Pairs(), lambda t: Rendered("p", pieces), max_length=99, parts=parts).encode(trace("x"))
    assert [str(parts[i]) for i in row.parts] == ["prompt", "format", "step 1", "format"]


def test_all_that_the_model_writes_is_trained_on_and_nothing_else() -> None:
    row = encoder(end=(7,)).encode(trace("a"))
    trained = [part >= FIRST_TRAINED for part in row.parts]
    assert trained == [False] * 2 + [True] * (len(row) - 2)
    assert (row.prompt_length, row.trained, row.tokens[-1]) == (2, len(row) - 2, 7)


def test_late_steps_and_rare_types_share_a_part_so_that_there_are_never_many() -> None:
    parts = Parts()
    made = RowEncoder(Letters(), plain, max_length=10_000, parts=parts)
    made.encode(Trace("p", tuple(Step(i, "x", f"type {i}") for i in range(300)), "9"))
    assert len(parts) < 40
    assert Part("step", 15, "other") in [parts[i] for i in range(len(parts))]


def test_a_row_that_is_too_long_is_left_out_and_named() -> None:
    rows = encoder(20).encode_all([trace("a"), trace("a" * 30), trace("b")])
    assert [row.number for row in rows.rows] == [0, 2]
    assert (rows.left_out, rows.dropped) == ((1,), 1)
    assert rows.full_lengths.tolist() == [12, 41, 12]
    assert (rows.tokens, rows.trained_tokens, rows.longest) == (24, 20, 12)


def test_middle_steps_are_dropped_one_by_one_until_the_row_fits() -> None:
    long = trace("first", "one", "two", "three", "last")
    whole = len(encoder().encode(long))
    for max_length, expected in (
        (whole, "first one two three last"),
        (whole - 1, "first one three last"),
        (whole - 5, "first one last"),
        (whole - 11, "first last"),
    ):
        (row,) = encoder(max_length, policy=LengthPolicy.DROP_STEPS).encode_all([long]).rows
        assert text_of(row) == "p\n" + expected.replace(" ", "\n") + "\n#### 9\n\n"
        assert row.dropped_steps == 5 - len(expected.split())


def test_the_first_and_the_last_step_and_the_answer_are_never_cut() -> None:
    long = trace("first", "middle", "last")
    least = len(encoder().encode(without_middle_steps(long, 1)))
    assert len(encoder(least, policy=LengthPolicy.DROP_STEPS).encode_all([long]).rows) == 1
    assert encoder(least - 1, policy=LengthPolicy.DROP_STEPS).encode_all([long]).left_out == (0,)
    assert encoder(5, policy=LengthPolicy.DROP_STEPS).encode_all([trace(), trace("only")]).left_out == (0, 1)


def test_steps_that_stay_keep_their_numbers() -> None:
    made = encoder(28, policy=LengthPolicy.DROP_STEPS)
    (row,) = made.encode_all([trace("aaaa", "bbbb", "cccc", "dddd")]).rows
    assert row.dropped_steps == 1
    assert {str(made.parts[i]) for i in row.parts if made.parts[i].kind == "step"} == {"step 1", "step 2", "step 4"}


def test_a_row_that_nothing_could_be_learned_from_is_told_apart() -> None:
    def empty(t: Trace) -> Rendered:
        return Rendered("" if t.prompt == "no prompt" else "p", () if t.final_answer == "none" else (Piece("x"),))

    rows = RowEncoder(Letters(), empty, max_length=9).encode_all(
        [trace(prompt="no prompt"), trace(answer="none"), trace()]
    )
    assert (rows.empty, len(rows.rows)) == ((0, 1), 1)


def test_nothing_left_to_train_on_is_an_error_that_says_what_to_raise() -> None:
    with pytest.raises(TrainingError, match="None of the 3 train rows fits in max_seq_length = 16"):
        require_rows(TokenRows((), left_out=(0, 1, 2)), 16)
    with pytest.raises(TrainingError, match="no tokens to train on"):
        require_rows(TokenRows((), empty=(0,)), 16)
