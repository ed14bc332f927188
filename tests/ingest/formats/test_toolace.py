"""Conversations of ToolACE: functions of the system text are tools, and calls of Python are calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ingest.formats.test_formats import convert
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.detect import detect_format
from tunixrt_core.traces.conversation import Call
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle

TOOLS = [
    {"name": "Market Trends API", "parameters": {"type": "dict", "properties": {"country": {"type": "string"}}}},
    {"name": "sum", "parameters": {"type": "dict", "properties": {"values": {"type": "array"}}}},
]
SYSTEM = (
    "You choose among functions. If none of them fits, say so.\n"
    "Here is a list of functions in JSON format that you can invoke:\n"
    f"{json.dumps(TOOLS)}. \n"
    "Should you decide to return the function call(s).\n"
    "Put it in the format of [func1(params_name=params_value, params_name2=params_value2...), func2(params)]\n\n"
    "NO other text MUST be included."
)
RESULT = '[{"name": "Market Trends API", "results": {"index": 5}}]'
ROW: dict[str, Any] = {
    "system": SYSTEM,
    "conversations": [
        {"from": "user", "value": "How is the market?"},
        {"from": "assistant", "value": '[Market Trends API(country="us"), sum(values=[1, 2])]'},
        {"from": "tool", "value": RESULT},
        {"from": "assistant", "value": "It is at 5."},
    ],
}
CALLS = (Call("Market Trends API", '{"country": "us"}'), Call("sum", '{"values": [1, 2]}'))


def test_calls_and_functions_are_read_and_the_system_text_is_kept_in_meta() -> None:
    found = convert("toolace", ROW)
    called, came = found.conversation.turns
    assert (found.prompt, called.calls, called.content) == ("How is the market?", CALLS, "")
    assert (came.role, came.content, found.final_answer) == ("tool", RESULT, "It is at 5.")
    assert [tool["function"]["name"] for tool in found.conversation.tool_values] == ["Market Trends API", "sum"]
    assert found.system == "You choose among functions. If none of them fits, say so."
    assert found.meta["toolace"] == {"system": SYSTEM}


def test_a_model_is_not_told_another_form_of_calls_than_it_writes() -> None:
    last = {**ROW, "conversations": ROW["conversations"][:2]}
    found = convert("toolace", last)
    assert found.conversation.calls == CALLS
    text = render(found, ReasoningStyle.THINK, ChatFormat.QWEN3).text
    assert "func1(" not in text
    assert '{"name": "sum", "arguments": {"values": [1, 2]}}' in text


def test_an_answer_without_a_call_stays_text() -> None:
    said = [*ROW["conversations"][:1], {"from": "assistant", "value": "[1, 2] is a list; no function fits."}]
    found = convert("toolace", {**ROW, "conversations": said})
    assert (found.final_answer, found.conversation.calls) == ("[1, 2] is a list; no function fits.", ())


def test_a_turn_that_looks_like_calls_and_is_none_rejects_the_row() -> None:
    said = [*ROW["conversations"][:1], {"from": "assistant", "value": "[sum(values=x)]"}]
    with pytest.raises(InvalidTrace, match="looks like a list of calls, but is none") as error:
        convert("toolace", {**ROW, "conversations": said})
    assert error.value.field == "conversations[1]"


@pytest.mark.parametrize("system", ["Be short.", "Use [func1(a=1)].", 'Use [func1(a=1)]: [{"name": "f"', None])
def test_conversations_without_such_a_system_text_are_those_of_sharegpt(system: str | None) -> None:
    assert detect_format([{**ROW, "system": system}]).format == "sharegpt"
