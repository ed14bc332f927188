"""A conversation is written as the family's own template writes it, tools included."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.render_reference import reference_template
from tests.traces.rendering.test_chats import FILES
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.row import TurnOptions, render, render_prompt
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Step, Trace

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Wetter für heute", "parameters": {"type": "object"}},
}
TALK = Conversation(messages=(Message("user", "What is 2+2? "), Message("assistant", " It is 4.")))
THOUGHT = Conversation(
    messages=(Message("user", "What is 2+2?"), Message("assistant", "4", reasoning="\n2 and 2 make 4.\n"))
)
ASKED = Message("assistant", "", reasoning="I must look.", calls=(Call("weather", {"city": "Köln", "days": 2}, "c1"),))
CALLED = Conversation(
    messages=(Message("user", "Hi"), Message("assistant", "Hello")),
    turns=(ASKED, Message("tool", '{"sun": true}', call_id="c1", name="weather")),
    tools=(TOOL,),
)
WITH_TOOLS = (ChatFormat.QWEN25, ChatFormat.QWEN3, ChatFormat.LLAMA31, ChatFormat.GEMMA4)


def openai(message: Message) -> dict[str, Any]:
    """A message as chat templates read it."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning:
        found["reasoning_content"] = message.reasoning
    if message.calls:
        found["tool_calls"] = [{"id": c.id, "function": {"name": c.name, "arguments": c.value}} for c in message.calls]
    if message.role == "tool":
        found |= {"tool_call_id": message.call_id, "name": message.name}
    return found


def theirs(chat: ChatFormat, talk: Conversation, prompt: str, *, system: str | None = None, thinks: bool = True) -> str:
    name, bos, _ = FILES[chat]
    messages = [{"role": "system", "content": system}] if system else []
    messages += [openai(each) for each in (*talk.messages, Message("user", prompt), *talk.turns)]
    told: dict[str, Any] = {"tools": talk.tool_values} if talk.tools else {}
    return reference_template(name).render(
        messages=messages, add_generation_prompt=True, bos_token=bos, enable_thinking=thinks, **told
    )


@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("talk", [TALK, THOUGHT])
@pytest.mark.parametrize("chat", FILES)
def test_earlier_turns_are_written_as_the_template_does(
    chat: ChatFormat, talk: Conversation, system: str | None
) -> None:
    if chat is ChatFormat.GEMMA and system:
        pytest.skip("the template of Gemma 1 and 2 refuses a system text")
    ours = render_prompt("And 3+3?", chat, ReasoningStyle.THINK, system=system, conversation=talk)
    assert ours == theirs(chat, talk, "And 3+3?", system=system)


@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("chat", WITH_TOOLS)
def test_calls_and_results_are_written_as_the_template_does(chat: ChatFormat, system: str | None) -> None:
    ours = render_prompt("Weather?", chat, ReasoningStyle.THINK, system=system, conversation=CALLED)
    assert ours == theirs(chat, CALLED, "Weather?", system=system)


def test_consecutive_results_share_one_turn_and_calls_one_message() -> None:
    calls = (Call("weather", {"city": "Rome"}, "a"), Call("time", {"city": "Bonn"}, "b"))
    results = (Message("tool", "sun", call_id="a"), Message("tool", "rain", call_id="b"))
    talk = Conversation(turns=(Message("assistant", "Let me see.", calls=calls), *results), tools=(TOOL,))
    for chat in (ChatFormat.QWEN25, ChatFormat.QWEN3, ChatFormat.GEMMA4):
        assert render_prompt("?", chat, ReasoningStyle.THINK, conversation=talk) == theirs(chat, talk, "?")


def test_a_final_call_is_written_in_place_of_an_answer() -> None:
    call = Call("weather", {"city": "Rome"})
    trace = Trace(
        "Weather?", (Step(0, "Ask."),), calls_text([call]), conversation=Conversation(tools=(TOOL,), calls=(call,))
    )
    row = render(trace, ReasoningStyle.THINK, ChatFormat.QWEN3)
    assert row.completion == (
        '<think>\nAsk.\n</think>\n\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
        "<|im_end|>\n"
    )


def test_arguments_that_are_text_are_written_as_they_came() -> None:
    talk = Conversation(turns=(Message("assistant", "", calls=(Call("weather", '{"city":"Rome"}'),)),))
    written = render_prompt("?", ChatFormat.QWEN3, ReasoningStyle.THINK, conversation=talk)
    assert '{"name": "weather", "arguments": {"city":"Rome"}}' in written


@pytest.mark.parametrize("chat", [ChatFormat.GEMMA, ChatFormat.GEMMA3, ChatFormat.LLAMA3, ChatFormat.NONE])
def test_a_format_without_a_form_for_tools_says_so(chat: ChatFormat) -> None:
    with pytest.raises(InvalidTrace, match="no form for"):
        render_prompt("?", chat, ReasoningStyle.THINK, conversation=CALLED)


def test_thinking_of_earlier_turns_is_kept_or_dropped_where_it_is_asked_for() -> None:
    def written(thinking: EarlierThinking, talk: Conversation) -> str:
        options = TurnOptions(thinking=thinking)
        return render_prompt("?", ChatFormat.QWEN3, ReasoningStyle.THINK, conversation=talk, turns=options)

    assert "2 and 2 make 4" not in written(EarlierThinking.TEMPLATE, THOUGHT)
    assert "<think>\n2 and 2 make 4.\n</think>\n\n4<|im_end|>" in written(EarlierThinking.KEEP, THOUGHT)
    assert "<think>\nI must look.\n</think>" in written(EarlierThinking.TEMPLATE, CALLED)
    assert "I must look." not in written(EarlierThinking.DROP, CALLED)
    inside = Conversation(messages=(Message("user", "2+2?"), Message("assistant", "<think>\n2 and 2\n</think>\n\n4")))
    for chat in (ChatFormat.QWEN3, ChatFormat.CHATML, ChatFormat.LLAMA31, ChatFormat.GEMMA3):
        options = TurnOptions(thinking=EarlierThinking.DROP)
        text = render_prompt("?", chat, ReasoningStyle.THINK, conversation=inside, turns=options)
        assert "2 and 2" not in text, chat
        assert "4" in text


def test_only_turns_of_the_assistant_are_trained_on() -> None:
    marked = Conversation(
        messages=(
            Message("user", "a?"),
            Message("assistant", "A", train=True),
            Message("user", "b?"),
            Message("assistant", "B", train=False),
        ),
        turns=CALLED.turns,
        tools=CALLED.tools,
    )
    trace = Trace("c?", (), "C", conversation=marked)

    def trained(train_on: TrainOn) -> str:
        row = render(trace, ReasoningStyle.ANSWER, ChatFormat.QWEN25, turns=TurnOptions(train_on=train_on))
        begin = len(row.prompt)
        spans = [span for span in row.spans if span.kind == "reply" or span.start >= begin]
        return "".join(row.text[span.start : span.end] for span in spans)

    end = "<|im_end|>\n"
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln", "days": 2}}\n</tool_call>'
    assert trained(TrainOn.LAST) == f"C{end}"
    assert trained(TrainOn.MARKED) == f"A{end}C{end}"
    assert trained(TrainOn.ALL) == f"A{end}{call}{end}C{end}", "B is marked as untrained"
