"""Rendering is exact, and parsing undoes it."""

from __future__ import annotations

import pytest

from tunixrt_core.render import (
    ChatFormat,
    ReasoningStyle,
    parse_completion,
    render,
    render_completion,
    render_prompt,
    stop_tokens,
)
from tunixrt_core.traces import Trace, parse_steps

TRACE = Trace("What is 2+3?", parse_steps(["2 and 3", "make 5"]), "5")

COMPLETIONS = {
    ReasoningStyle.TAGS: "<reasoning>\n2 and 3\nmake 5\n</reasoning>\n<answer>5</answer>",
    ReasoningStyle.THINK: "<think>\n2 and 3\nmake 5\n</think>\n\n5",
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


@pytest.mark.parametrize("style", [ReasoningStyle.TAGS, ReasoningStyle.THINK, ReasoningStyle.PLAIN])
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
    assert render_prompt("Hi", chat) == prompt
    row = render(Trace("Hi", (), "5"), ReasoningStyle.ANSWER, chat)
    assert (row.prompt, row.completion) == (prompt, f"5{end}")


def test_the_system_prompt_of_a_trace_wins_over_the_default() -> None:
    own = Trace("Hi", (), "5", system="Be brief.")
    assert "Be brief." in render(own, ReasoningStyle.TAGS, ChatFormat.CHATML, system="Be long.").prompt
    assert "Be long." in render(TRACE, ReasoningStyle.TAGS, ChatFormat.CHATML, system="Be long.").prompt


def test_gemma_has_no_system_turn_so_the_text_goes_before_the_first_user_turn() -> None:
    assert render_prompt("Hi", ChatFormat.GEMMA, system="Be brief.").startswith(
        "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>"
    )


def test_a_completion_ends_with_a_token_that_stops_generation() -> None:
    for chat in (ChatFormat.CHATML, ChatFormat.GEMMA, ChatFormat.LLAMA3):
        row = render(TRACE, ReasoningStyle.TAGS, chat)
        assert any(row.completion.rstrip().endswith(token) for token in stop_tokens(chat))
