"""Every chat format writes, byte for byte, what the model family's own template writes of the same turns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from tests.conftest import examples
from tests.helpers.render_reference import messages_of, reference_template
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render, render_prompt
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.trace import Step, Trace

# the template file, the text of its beginning-of-sequence token, and whether it has a form of its own for thoughts
FILES = {
    ChatFormat.QWEN25: ("qwen2_5", "", False),
    ChatFormat.QWEN3: ("qwen3", "", True),
    ChatFormat.GEMMA: ("gemma", "<bos>", False),
    ChatFormat.GEMMA3: ("gemma3", "<bos>", False),
    ChatFormat.GEMMA4: ("gemma4", "<bos>", True),
    ChatFormat.LLAMA3: ("llama3", "<|begin_of_text|>", False),
    ChatFormat.LLAMA31: ("llama3_1", "<|begin_of_text|>", False),
}
TEMPLATES = {chat: reference_template(name) for chat, (name, _, _) in FILES.items()}
# these keep white space at the ends of a completion, because runs were made with it
KEEPS_WHITE_SPACE = {ChatFormat.GEMMA, ChatFormat.LLAMA3}

WORDS = st.text(st.sampled_from("ab1. \n\t<>é日\u2028"), max_size=12)
FILLED = WORDS.filter(lambda text: bool(text.strip()))
STEPS = st.lists(FILLED, max_size=3)


def theirs(chat: ChatFormat, messages: list[Any], style: ReasoningStyle, *, prompt: bool) -> str:
    _, bos, thinks = FILES[chat]
    told = {"enable_thinking": style is ReasoningStyle.THINK} if thinks else {}
    return TEMPLATES[chat].render(messages=messages, add_generation_prompt=prompt, bos_token=bos, **told)


def answered(chat: ChatFormat, trace: Trace, style: ReasoningStyle) -> list[Any]:
    """The turns of a trace; the reasoning apart where the template has its own form for it."""
    contents = [step.content for step in trace.steps]
    if FILES[chat][2] and style is ReasoningStyle.THINK:
        return messages_of(trace.system, trace.prompt, trace.final_answer, "\n".join(contents))
    said = render_completion(contents, trace.final_answer, style)
    apart = "" if chat is ChatFormat.QWEN3 else None  # else it looks for </think> in the content
    return messages_of(trace.system, trace.prompt, said, apart)


def same_text(chat: ChatFormat, trace: Trace, style: ReasoningStyle) -> None:
    ours = render(trace, style, chat)
    asked = messages_of(trace.system, trace.prompt)
    assert ours.prompt == theirs(chat, asked, style, prompt=True)
    assert ours.prompt == render_prompt(trace.prompt, chat, style, system=trace.system)
    whole = theirs(chat, answered(chat, trace, style), style, prompt=False)
    if chat is ChatFormat.GEMMA4 and style is not ReasoningStyle.THINK:
        assert "<|think|>" not in whole
    assert ours.text == whole


@pytest.mark.parametrize("style", ReasoningStyle)
@pytest.mark.parametrize("chat", FILES)
@settings(max_examples=examples(40))  # of each of the 35 pairs
@given(prompt=FILLED, steps=STEPS, answer=FILLED, system=st.none() | FILLED)
def test_prompt_and_completion_are_the_templates_own(
    chat: ChatFormat, style: ReasoningStyle, prompt: str, steps: list[str], answer: str, system: str | None
) -> None:
    if chat in KEEPS_WHITE_SPACE:
        steps, answer = [step.strip() for step in steps], answer.strip()
    if chat is ChatFormat.GEMMA:
        system = None  # its template refuses one
    same_text(chat, Trace(prompt, tuple(Step(i, text) for i, text in enumerate(steps)), answer, system=system), style)


TRACE = Trace("What is 2+3?", (Step(0, "2 and 3"), Step(1, "make 5")), "5", system="Be brief.")
THOUGHTS = {
    ChatFormat.QWEN3: "<think>\n2 and 3\nmake 5\n</think>\n\n5<|im_end|>\n",
    ChatFormat.GEMMA4: "<|channel>thought\n2 and 3\nmake 5\n<channel|>5<turn|>\n",
}


@pytest.mark.parametrize("chat", THOUGHTS)
def test_thoughts_stand_where_the_family_has_its_own_place_for_them(chat: ChatFormat) -> None:
    row = render(TRACE, ReasoningStyle.THINK, chat)
    assert row.completion == THOUGHTS[chat]
    # a model that is not to think is told so by its prompt, in the way of its family
    quiet = render(TRACE, ReasoningStyle.ANSWER, chat)
    assert quiet.completion == "5" + THOUGHTS[chat].rpartition("5")[2]
    assert quiet.prompt != row.prompt


def test_gemma_4_is_told_to_think_in_its_system_turn() -> None:
    assert render_prompt("Hi", ChatFormat.GEMMA4, ReasoningStyle.THINK) == (
        "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\nHi<turn|>\n<|turn>model\n"
    )
    assert render_prompt("Hi", ChatFormat.GEMMA4, ReasoningStyle.TAGS) == (
        "<bos><|turn>user\nHi<turn|>\n<|turn>model\n"
    )


def test_qwen_2_5_says_who_it_is_where_there_is_no_system_text() -> None:
    assert "You are Qwen, created by Alibaba Cloud." in render_prompt("Hi", ChatFormat.QWEN25, ReasoningStyle.TAGS)
    assert "Qwen" not in render_prompt("Hi", ChatFormat.QWEN25, ReasoningStyle.TAGS, system="Be brief.")


def test_the_dates_of_llama_3_1_are_those_of_its_template_and_never_today() -> None:
    written = render_prompt("Hi", ChatFormat.LLAMA31, ReasoningStyle.TAGS, system=" Be brief. ")
    assert "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>" in written


def test_gemma_1_and_2_have_no_system_turn_so_gemma_3s_way_is_taken() -> None:
    with pytest.raises(TemplateError, match="System role not supported"):
        theirs(ChatFormat.GEMMA, messages_of("Be brief.", "Hi"), ReasoningStyle.TAGS, prompt=True)
    ours = [render_prompt("Hi", chat, ReasoningStyle.TAGS, system="Be brief.") for chat in FILES if "gemma" in chat]
    assert ours[0] == ours[1] == "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"


@pytest.mark.parametrize("chat", sorted(KEEPS_WHITE_SPACE))
def test_formats_that_runs_were_made_with_keep_white_space_in_a_completion(chat: ChatFormat) -> None:
    row = render(Trace("Hi", (), " 5 "), ReasoningStyle.ANSWER, chat)
    assert row.completion.startswith(" 5 <")
