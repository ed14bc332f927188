"""Conversations in the marks of model families and data sets are turns, calls, results and tools."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

TALK = (Message("user", "Hi"), Message("assistant", "Hello!\n\n    code"))
TRACE = Trace("2+2?", (), "4", system="Be short.", conversation=Conversation(TALK))


def only(data: Any) -> Trace | RowError:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    reader = read_traces(io.BytesIO(text), name="f")
    (found,) = reader
    return found.trace if isinstance(found, ScoredTrace) else found


def trace_in(data: Any) -> Trace:
    found = only(data)
    assert isinstance(found, Trace), found
    return found


@pytest.mark.parametrize("chat", [ChatFormat.CHATML, ChatFormat.LLAMA3, ChatFormat.LLAMA31])
def test_what_a_chat_format_writes_is_read_back(chat: ChatFormat) -> None:
    found = trace_in({"text": render(TRACE, ReasoningStyle.ANSWER, chat).text, "id": 7})
    assert (found.system, found.prompt, found.final_answer) == ("Be short.", "2+2?", "4")
    assert found.conversation == TRACE.conversation
    assert found.meta["id"] == 7
    assert ("chat_text_header" in found.meta) is (chat is ChatFormat.LLAMA31)


@pytest.mark.parametrize("chat", [ChatFormat.GEMMA3, ChatFormat.GEMMA4])
def test_families_without_a_later_system_turn_are_read_back(chat: ChatFormat) -> None:
    plain = Trace("2+2?", (), "4", conversation=Conversation(TALK))
    found = trace_in({"text": render(plain, ReasoningStyle.ANSWER, chat).text})
    assert (found.prompt, found.final_answer, found.conversation) == ("2+2?", "4", plain.conversation)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\nHi [/INST] Hello! </s><s>[INST] 2+2? [/INST] 4 </s>", "Be short."),
        ("### Human: Hi### Assistant: Hello!### Human: 2+2?### Assistant: 4", None),
        (
            "<|system|>\nBe short.</s>\n<|user|>\nHi</s>\n<|assistant|>\nHello!</s>\n"
            "<|user|>\n2+2?</s>\n<|assistant|>\n4</s>",
            "Be short.",
        ),
        (
            "<｜begin▁of▁sentence｜>Be short.<｜User｜>Hi<｜Assistant｜>Hello!<｜end▁of▁sentence｜>"
            "<｜User｜>2+2?<｜Assistant｜>4",
            "Be short.",
        ),
        ("Human: Hi\n\nAssistant: Hello!\n\nHuman: 2+2?\n\nAssistant: 4", None),
    ],
    ids=["llama 2", "guanaco", "zephyr", "deepseek", "transcript"],
)  # fmt: skip
def test_other_marks(text: str, system: str | None) -> None:
    found = trace_in({"text": text})
    assert (found.system, found.prompt, found.final_answer) == (system, "2+2?", "4")
    assert [turn.content for turn in found.conversation.messages] == ["Hi", "Hello!"]


def test_an_instruction_with_an_input_and_what_is_before_it() -> None:
    text = "Below is an instruction.\n\n### Instruction:\nAdd them.\n\n### Input:\n2 and 2\n\n### Response:\n4"
    found = trace_in({"text": text})
    assert (found.system, found.prompt, found.final_answer) == ("Below is an instruction.", "Add them.\n\n2 and 2", "4")


def test_text_outside_of_the_marks_is_an_error_and_other_text_is_no_conversation() -> None:
    text = "<|im_start|>user\nHi<|im_end|>\nlost<|im_start|>assistant\nYo<|im_end|>"
    fault = only({"text": text})
    assert isinstance(fault, RowError)
    assert "has text outside of its turns: 'lost'. Put it between the marks" in str(fault)


def test_glaive_with_its_functions_calls_and_results() -> None:
    rate = {"name": "rate", "description": "The rate", "parameters": {"type": "object"}}
    row = {
        "system": f"SYSTEM: You have these functions. Use them if required -\n{json.dumps(rate, indent=4)}\n",
        "chat": 'USER: The rate?\n\n\nASSISTANT: <functioncall> {"name": "rate", "arguments": \'{"to": "EUR"}\'} '
        '<|endoftext|>\n\n\nFUNCTION RESPONSE: {"rate": 0.9}\n\n\nASSISTANT: It is 0.9. <|endoftext|>\n\n\n',
    }
    found = trace_in(row)
    assert found.system == "You have these functions. Use them if required -"
    assert found.conversation.turns == (
        Message("assistant", calls=(Call("rate", {"to": "EUR"}),)),
        Message("tool", '{"rate": 0.9}'),
    )
    assert found.conversation.tool_values == [{"type": "function", "function": rate}]
    assert found.final_answer == "It is 0.9."


@pytest.mark.parametrize(
    "turns",
    [
        [{"type": "human", "data": {"content": "2+2?"}}, {"type": "ai", "data": {"content": "4", "tool_calls": []}}],
        [
            {"lc": 1, "id": ["langchain", "HumanMessage"], "kwargs": {"content": "2+2?"}},
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "AIMessage"],
                "kwargs": {"content": "4", "type": "ai"},
            },
        ],
        [
            {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["2+2?"]}},
            {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["4"]}},
        ],
        [{"author": "user", "content": "2+2?"}, {"author": "assistant", "content": "4"}],
        [{"sender": "human", "text": "2+2?"}, {"sender": "assistant", "text": "4"}],
    ],
    ids=["langchain", "langchain, serialised", "chatgpt", "author", "sender"],
)
def test_roles_under_other_keys(turns: list[dict[str, Any]]) -> None:
    found = trace_in({"messages": turns})
    assert (found.prompt, found.final_answer, found.conversation) == ("2+2?", "4", Conversation())


def test_what_a_provider_adds_to_messages_of_langchain() -> None:
    call = {"id": "c1", "function": {"name": "weather", "arguments": "{}"}, "type": "function"}
    added = {"tool_calls": [call], "reasoning_content": "Ask."}
    turns = [
        {"type": "human", "data": {"content": "Weather?"}},
        {"type": "ai", "data": {"content": "", "additional_kwargs": added}},
    ]
    found = trace_in({"messages": turns})
    assert ([step.content for step in found.steps], found.conversation.calls) == (
        ["Ask."],
        (Call("weather", "{}", "c1"),),
    )


@pytest.mark.parametrize(
    "more",
    [
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Add"},
                {"type": "reasoning.text", "text": " them."},
            ]
        },
        {"thinking_blocks": [{"type": "thinking", "thinking": "Add them.", "signature": "s"}]},
    ],
    ids=["openrouter", "litellm"],
)
def test_reasoning_in_a_list_of_parts(more: dict[str, Any]) -> None:
    found = trace_in({"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4", **more}]})
    assert ([step.content for step in found.steps], found.final_answer) == (["Add them."], "4")


def test_lists_of_messages_are_conversations() -> None:
    turns = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    line = json.dumps(turns).encode()
    for data, number in ((line, 1), (line + b"\n" + line + b"\n", 2), (b"[" + line + b"," + line + b"]", 2)):
        reader = read_traces(io.BytesIO(data), name="f")
        found = [item for item in reader if isinstance(item, Trace)]
        assert [(one.prompt, one.final_answer) for one in found] == [("2+2?", "4")] * number
        assert reader.notes


def test_answers_that_call_tools_are_calls_of_the_final_turn() -> None:
    tools = [{"name": "weather", "parameters": {}}]
    answers = [{"name": "weather", "arguments": {"city": "Rome"}}, {"name": "weather", "arguments": {}}]
    for written in (answers, json.dumps(answers)):
        found = trace_in({"query": "Weather?", "tools": json.dumps(tools), "answers": written})
        assert found.conversation.calls == (Call("weather", {"city": "Rome"}), Call("weather"))
        assert [tool["function"]["name"] for tool in found.conversation.tool_values] == ["weather"]
        assert "tools" not in found.meta
    other = trace_in(
        {"query": "Weather?", "tools": json.dumps(tools), "answers": '[{"name": "other", "arguments": {}}]'}
    )
    assert (other.conversation.calls, len(other.conversation.tools)) == ((), 1)


def test_turns_that_axolotl_trains_in_parts() -> None:
    detail = [{"begin_offset": 0, "end_offset": 0, "train": False}, {"begin_offset": 1, "end_offset": 2, "train": True}]
    turns = [
        {"from": "human", "value": "A?"},
        {"from": "gpt", "value": "B", "train_on_turn": False},
        {"from": "human", "value": "C?"},
        {"from": "gpt", "value": "D e", "train_detail": detail},
    ]
    reader = read_traces(io.BytesIO(json.dumps({"conversations": turns}).encode()), name="f")
    (found,) = (item.trace if isinstance(item, ScoredTrace) else item for item in reader)
    assert isinstance(found, Trace)
    assert (found.final_answer, found.conversation.messages[1].train) == ("D e", False)
    assert any("marked as trained in parts" in warning.text for warning in reader.warnings.found)


def test_each_choice_of_a_response_is_a_trace() -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "2+2?"}]}
    choices = [{"index": i, "message": {"role": "assistant", "content": text}} for i, text in enumerate("45")]
    reader = read_traces(
        io.BytesIO(json.dumps({"request": asked, "response": {"choices": choices}}).encode()), name="f"
    )
    found = [item for item in reader if isinstance(item, Trace)]
    assert [(one.final_answer, one.meta["choice"], one.model) for one in found] == [("4", 0, "m"), ("5", 1, "m")]


BAD_CHOICE = "must be a message, not {}. Write the choice as an object"
ASKED = {"messages": [{"role": "user", "content": "2+2?"}]}
GOOD = {"message": {"role": "assistant", "content": "4"}}
ODD = [GOOD, 5, {"message": {"role": "assistant", "content": 5}}, None, "4!"]


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"request": ASKED, "response": {"choices": ODD}}, "response"),
        ({"input": ASKED, "output": {"choices": ODD}, "traceId": "t", "id": "o", "type": "GENERATION"}, "output"),
        (
            {
                "spanId": "s",
                "attributes": {"input.value": json.dumps(ASKED), "output.value": json.dumps({"choices": ODD})},
            },
            "output.value",
        ),
    ],
    ids=["llm_calls", "langfuse", "otel"],
)
def test_a_choice_that_is_no_message_is_named_and_the_others_are_kept(row: dict[str, Any], place: str) -> None:
    found = list(read_traces(io.BytesIO(json.dumps(row).encode()), name="f"))
    kept, faults = found[0], found[1:]
    trace = kept.trace if isinstance(kept, ScoredTrace) else kept
    assert isinstance(trace, Trace)
    assert trace.final_answer == "4"
    assert [(fault.field, fault.reason) for fault in faults if isinstance(fault, RowError)] == [
        (f"{place}.choices[1]", BAD_CHOICE.format("the number 5")),
        (
            f"{place}.choices[2]",
            "must be a message with `role` and text `content`; it has the number 5 as `content`. "
            "Write the content as text or as parts",
        ),
        (f"{place}.choices[3]", BAD_CHOICE.format("null")),
        (f"{place}.choices[4]", BAD_CHOICE.format("text")),
    ]
