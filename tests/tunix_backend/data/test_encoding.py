"""Traces to token rows: every token knows what it belongs to, and nothing that matters is cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.conversations import conversations, talk
from tunixrt_core.errors import TrainingError
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.row import TurnOptions, render
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

WITH_TOOLS = (ChatFormat.CHATML, ChatFormat.QWEN25, ChatFormat.QWEN3, ChatFormat.LLAMA31)


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


@st.composite
def rows_of_turns(draw: st.DrawFn) -> tuple[Trace, ChatFormat, TurnOptions]:
    chat = draw(st.sampled_from(ChatFormat))
    found = draw(conversations(tools=chat in WITH_TOOLS))
    options = TurnOptions(train_on=draw(st.sampled_from(TrainOn)), thinking=draw(st.sampled_from(EarlierThinking)))
    return Trace("p?", (Step(0, "so"),), "9", system="s", conversation=found), chat, options


@given(rows_of_turns())
def test_trained_are_replies_and_the_completion_and_no_text_of_others(
    drawn: tuple[Trace, ChatFormat, TurnOptions],
) -> None:
    asked, chat, options = drawn
    text = render(asked, ReasoningStyle.PLAIN, chat, turns=options)
    row = RowEncoder(Letters(), lambda _: text, max_length=9999).encode(asked)
    trained = row.parts >= FIRST_TRAINED
    kinds = [span.kind for span in text.spans for _ in range(span.end - span.start)]
    given = len(text.prompt)
    assert trained.tolist() == [place >= given or kind == "reply" for place, kind in enumerate(kinds)]
    replies = "".join(piece.text for piece in text.prompt_pieces if piece.kind == "reply")
    assert "".join(chr(i) for i in row.tokens[trained]) == replies + text.completion
    assert (row.trained, row.replied, text_of(row)) == (int(trained.sum()), len(replies), text.text)


def test_each_trained_turn_is_encoded_as_when_it_was_asked_for() -> None:
    class Whole(Letters):
        """An encoder with one token for a whole text."""

        def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
            seen.extend(texts)
            return [[1] for _ in texts]

        def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
            seen.extend(texts)
            return [([2], [(0, len(text))]) for text in texts]

    seen: list[str] = []
    options = TurnOptions(train_on=TrainOn.ALL)
    made = RowEncoder(
        Whole(), lambda t: render(t, ReasoningStyle.ANSWER, ChatFormat.CHATML, turns=options), max_length=99
    )
    row = made.encode(talk())
    assert seen == [
        "<|im_start|>user\nWhat is 1 and 1?<|im_end|>\n<|im_start|>assistant\n",
        "It is 2.<|im_end|>\n",
        "<|im_start|>user\nAnd 1 and 2?<|im_end|>\n<|im_start|>assistant\n",
        "3<|im_end|>\n",
    ]
    assert [str(made.parts[i]) for i in row.parts] == ["prompt", "reply", "prompt", "format"]
    assert (row.prompt_length, row.trained, row.written, row.replied) == (3, 2, 1, 1)


def test_steps_are_dropped_of_the_last_turn_alone() -> None:
    def text_of_turns(t: Trace) -> Rendered:
        return render(t, ReasoningStyle.PLAIN, ChatFormat.NONE, turns=TurnOptions(train_on=TrainOn.ALL))

    long = talk(steps=tuple(Step(i, f"step {i}") for i in range(5)))
    whole = len(RowEncoder(Letters(), text_of_turns, max_length=9999).encode(long))
    made = RowEncoder(Letters(), text_of_turns, max_length=whole - 1, policy=LengthPolicy.DROP_STEPS)
    (row,) = made.encode_all([long]).rows
    assert row.dropped_steps == 1
    assert "What is 1 and 1?\nIt is 2.\n\nAnd 1 and 2?\nstep 0\nstep 1\nstep 3" in text_of(row)


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
