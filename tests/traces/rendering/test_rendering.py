"""Rendering is exact, and parsing undoes it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.traces.rendering.chats import ChatFormat, stop_tokens
from tunixrt_core.traces.rendering.parse import parse_completion, parse_rendered, up_to_step
from tunixrt_core.traces.rendering.row import render, render_prompt
from tunixrt_core.traces.rendering.styles import ReasoningStyle, completion_pieces, render_completion
from tunixrt_core.traces.rendering.text import join
from tunixrt_core.traces.trace import Step, Trace, parse_steps

TRACE = Trace("What is 2+3?", parse_steps(["2 and 3", "make 5"]), "5")

COMPLETIONS = {
    ReasoningStyle.TAGS: "<reasoning>\n2 and 3\nmake 5\n</reasoning>\n<answer>5</answer>",
    ReasoningStyle.THINK: "<think>\n2 and 3\nmake 5\n</think>\n\n5",
    ReasoningStyle.NUMBERED: "1. 2 and 3\n2. make 5\n\nAnswer: 5",
    ReasoningStyle.PLAIN: "2 and 3\nmake 5\n#### 5",
    ReasoningStyle.ANSWER: "5",
}


@pytest.mark.parametrize("style", ReasoningStyle)
def test_every_style_writes_the_expected_bytes(style: ReasoningStyle) -> None:
    assert render_completion(["2 and 3", "make 5"], "5", style) == COMPLETIONS[style]


@pytest.mark.parametrize("style", ReasoningStyle)
def test_parsing_undoes_rendering(style: ReasoningStyle) -> None:
    parsed = parse_completion(COMPLETIONS[style], style)
    assert parsed.answer == "5"
    assert parsed.steps == (() if style is ReasoningStyle.ANSWER else ("2 and 3", "make 5"))


@pytest.mark.parametrize("style", [style for style in ReasoningStyle if style is not ReasoningStyle.ANSWER])
def test_a_completion_that_was_cut_off_has_steps_but_no_answer(style: ReasoningStyle) -> None:
    parsed = parse_completion("2 and 3\nmake", style)
    assert parsed.answer is None
    assert parsed.steps == ("2 and 3", "make")


def test_a_missing_opening_think_tag_is_read_as_there() -> None:
    # Qwen 3.5 puts it into the prompt, so that the model writes only the closing one
    assert parse_completion("2 and 3\n</think>\n\n5", ReasoningStyle.THINK).answer == "5"


def test_a_trace_without_steps_still_has_an_answer_in_plain_style() -> None:
    assert render_completion([], "5", ReasoningStyle.PLAIN) == "#### 5"
    assert parse_completion("#### 5", ReasoningStyle.PLAIN).answer == "5"


@pytest.mark.parametrize(
    ("chat", "prompt", "end"),
    [
        (ChatFormat.CHATML, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n"),
        (ChatFormat.GEMMA, "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>\n"),
        (
            ChatFormat.LLAMA3,
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|>",
        ),
        (ChatFormat.NONE, "Hi\n", "\n\n"),
    ],
)
def test_every_chat_format_writes_the_expected_bytes(chat: ChatFormat, prompt: str, end: str) -> None:
    assert render_prompt("Hi", chat, ReasoningStyle.ANSWER) == prompt
    row = render(Trace("Hi", (), "5"), ReasoningStyle.ANSWER, chat)
    assert (row.prompt, row.completion) == (prompt, f"5{end}")


def test_the_system_prompt_of_a_trace_wins_over_the_default() -> None:
    own = Trace("Hi", (), "5", system="Be brief.")
    assert "Be brief." in render(own, ReasoningStyle.TAGS, ChatFormat.CHATML, system="Be long.").prompt
    assert "Be long." in render(TRACE, ReasoningStyle.TAGS, ChatFormat.CHATML, system="Be long.").prompt


def test_gemma_has_no_system_turn_so_the_text_goes_before_the_first_user_turn() -> None:
    assert render_prompt("Hi", ChatFormat.GEMMA, ReasoningStyle.TAGS, system="Be brief.").startswith(
        "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>"
    )


def test_a_completion_ends_with_a_token_that_stops_generation() -> None:
    for chat in [chat for chat in ChatFormat if chat is not ChatFormat.NONE]:
        row = render(TRACE, ReasoningStyle.TAGS, chat)
        assert stop_tokens(chat)
        assert any(row.completion.rstrip().endswith(token) for token in stop_tokens(chat))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FILLED = TEXT.filter(lambda text: bool(text.strip()))
# what holds the marks of no style
LINE = st.text(st.sampled_from("abc 12.,+=é日"), min_size=1).map(str.strip).filter(bool)


@pytest.mark.parametrize("style", ReasoningStyle)
@given(steps=st.lists(FILLED, max_size=4), answer=FILLED)
def test_the_pieces_and_the_text_are_one(style: ReasoningStyle, steps: list[str], answer: str) -> None:
    pieces = completion_pieces([Step(i, text) for i, text in enumerate(steps)], answer, style)
    assert join(pieces) == render_completion(steps, answer, style)


@pytest.mark.parametrize("style", ReasoningStyle)
@given(steps=st.lists(LINE, max_size=4), answer=LINE)
def test_what_a_model_writes_is_read_back_where_the_text_allows_it(
    style: ReasoningStyle, steps: list[str], answer: str
) -> None:
    parsed = parse_completion(render_completion(steps, answer, style), style)
    assert parsed.answer == answer
    assert parsed.steps == (() if style is ReasoningStyle.ANSWER else tuple(steps))


@given(steps=st.lists(st.lists(LINE, min_size=1, max_size=3).map("\n ".join), min_size=1, max_size=4), answer=LINE)
def test_numbered_steps_may_have_several_lines(steps: list[str], answer: str) -> None:
    marks = tuple(f"{number}." for number in range(1, 6))
    if any(line.strip().startswith(marks) for step in steps for line in step.split("\n")[1:]):
        return
    parsed = parse_completion(render_completion(steps, answer, ReasoningStyle.NUMBERED), ReasoningStyle.NUMBERED)
    assert (parsed.steps, parsed.answer) == (tuple(steps), answer)


def test_words_before_the_first_number_are_kept() -> None:
    parsed = parse_completion("Let me see.\n1. add\n 2. done\n\nAnswer: 5\n", ReasoningStyle.NUMBERED)
    assert parsed.steps == ("Let me see.", "add", "done")
    assert parsed.answer == "5"


@pytest.mark.parametrize("style", [style for style in ReasoningStyle if style is not ReasoningStyle.ANSWER])
@given(steps=st.lists(FILLED, max_size=4), answer=FILLED)
def test_with_the_lengths_of_its_steps_any_completion_comes_apart_exactly(
    style: ReasoningStyle, steps: list[str], answer: str
) -> None:
    text = render_completion(steps, answer, style)
    apart = parse_rendered(text, style, [len(step) for step in steps])
    assert apart is not None
    assert (apart.steps, apart.answer) == (tuple(steps), answer)
    # and one that was edited does not
    assert parse_rendered("!" + text, style, [len(step) for step in steps]) is None or style is ReasoningStyle.PLAIN


@pytest.mark.parametrize("chat", ChatFormat)
@pytest.mark.parametrize("style", ReasoningStyle)
@settings(max_examples=examples(40))  # of each of the 45 pairs
@given(steps=st.lists(FILLED, max_size=3), answer=FILLED, system=st.none() | FILLED)
def test_the_spans_cover_every_character_once_and_name_what_it_is(
    chat: ChatFormat, style: ReasoningStyle, steps: list[str], answer: str, system: str | None
) -> None:
    trace = Trace("What?", tuple(Step(i, text, f"t{i}") for i, text in enumerate(steps)), answer, system=system)
    row = render(trace, style, chat)
    ends = [0, *(span.end for span in row.spans)]
    assert [span.start for span in row.spans] == ends[:-1]
    assert ends[-1] == len(row.text)
    assert all(span.end > span.start for span in row.spans)
    said = {kind: [row.text[s.start : s.end] for s in row.spans if s.kind == kind] for kind in ("prompt", "answer")}
    assert said["prompt"] == ["What?"]
    assert "".join(said["answer"]).strip() == answer.strip()
    for span in row.spans:
        if span.kind == "step":
            assert row.text[span.start : span.end].strip() == steps[span.index].strip()
            assert span.type == f"t{span.index}"
    # what is trained on begins where the prompt ends
    assert all((span.kind in ("system", "prompt")) <= (span.end <= len(row.prompt)) for span in row.spans)
    assert any(span.start == len(row.prompt) for span in row.spans)


@pytest.mark.parametrize("style", [style for style in ReasoningStyle if style is not ReasoningStyle.ANSWER])
def test_an_output_is_cut_behind_any_of_its_steps(style: ReasoningStyle) -> None:
    steps, text = ("so", "it is so", "so"), render_completion(["so", "it is so", "so"], "so", style)
    for count in range(4):
        begun = up_to_step(text, steps, count)
        assert text.startswith(begun)
        assert begun.count("so") - begun.count("<reasoning>") == count
    assert up_to_step("<think>so</think>so", ("so",), 1) == "<think>so</think>so", "all on one line"
