"""Conversations of other programs become messages, turns, tools and calls of a trace, in order and unaltered."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import examples
from tests.ingest.formats.test_formats import convert, meta, read, scores
from tests.ingest.formats.test_public_formats import trace_of
from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.formats.detect import detect_format
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Trace

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALLED = Message("assistant", calls=(Call("weather", {"city": "Rome"}, "c1"),))
SUN = Message("tool", "sun", call_id="c1", name="weather")
TALK = Conversation(turns=(CALLED, SUN), tools=(WEATHER,))
BARE = Conversation(turns=(Message("assistant", calls=(Call("weather", {"city": "Rome"}),)), Message("tool", "sun")))


def known(row: dict[str, Any]) -> Trace:
    """The one trace of a row, in the format that it is found to be in."""
    return convert(detect_format([row]).format, row)


def with_call(call: Any, **more: Any) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "sun", **more},
        {"role": "assistant", "content": "It is sunny."},
    ]


OPENAI_CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
SHAREGPT = [
    {"from": "human", "value": "Weather?"},
    {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Rome"}}'},
    {"from": "observation", "value": "sun"},
    {"from": "gpt", "value": "It is sunny."},
]
OTEL_INPUT = [
    {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "sun"}]},
]
OTEL_OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "It is sunny."}], "finish_reason": "stop"}]
SHAPES: dict[str, tuple[dict[str, Any], Conversation]] = {
    "openai": ({"messages": with_call(OPENAI_CALL, tool_call_id="c1", name="weather"), "tools": [WEATHER]}, TALK),
    "openai, tools as text": (
        {"messages": with_call(OPENAI_CALL, tool_call_id="c1", name="weather"), "tools": json.dumps([WEATHER])},
        TALK,
    ),
    "openai, legacy functions": (
        {
            "messages": [
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "weather", "arguments": '{"city": "Rome"}'},
                },
                {"role": "function", "name": "weather", "content": "sun"},
                {"role": "assistant", "content": "It is sunny."},
            ],
            "functions": [{"name": "weather", "parameters": {"type": "object"}}],
        },
        Conversation(
            turns=(BARE.turns[0], Message("tool", "sun", name="weather")),
            tools=(WEATHER,),
        ),
    ),
    "sharegpt of llama-factory": (
        {"conversations": SHAREGPT, "tools": '[{"name": "weather", "parameters": {"type": "object"}}]'},
        Conversation(turns=BARE.turns, tools=(WEATHER,)),
    ),
    "hermes": (
        {
            "conversations": [
                {"from": "human", "value": "Weather?"},
                {
                    "from": "gpt",
                    "value": '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
                },
                {"from": "tool", "value": "<tool_response>\nsun\n</tool_response>"},
                {"from": "gpt", "value": "It is sunny."},
            ]
        },
        BARE,
    ),
    "anthropic": (
        {
            "messages": [
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sun"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "It is sunny."}]},
            ],
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
        },
        Conversation(turns=(CALLED, Message("tool", "sun", call_id="c1")), tools=(WEATHER,)),
    ),
    "gemini": (
        {
            "messages": [
                {"role": "user", "parts": [{"text": "Weather?"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Rome"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "sun"}}}]},
                {"role": "model", "parts": [{"text": "It is sunny."}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "weather", "parameters": {"type": "object"}}]}],
        },
        Conversation(
            turns=(BARE.turns[0], Message("tool", '{"sky": "sun"}', name="weather")),
            tools=(WEATHER,),
        ),
    ),
    "atif": (
        {
            "schema_version": "ATIF-v1.7",
            "session_id": "s",
            "agent": {"name": "a", "version": "1", "model_name": "m", "tool_definitions": [WEATHER]},
            "steps": [
                {"step_id": 1, "source": "user", "message": "Weather?"},
                {
                    "step_id": 2,
                    "source": "agent",
                    "message": "",
                    "tool_calls": [{"tool_call_id": "c1", "function_name": "weather", "arguments": {"city": "Rome"}}],
                    "observation": {"results": [{"source_call_id": "c1", "content": "sun"}]},
                    "metrics": {"cost_usd": 0.1},
                },
                {"step_id": 3, "source": "agent", "message": "It is sunny."},
            ],
        },
        TALK,
    ),
    "verifiers": (
        {
            "example_id": 0,
            "prompt": [{"role": "user", "content": "Weather?"}],
            "completion": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'}],
                },
                {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "sun"},
                {"role": "assistant", "content": "It is sunny."},
            ],
            "answer": "sun",
            "reward": 1.0,
            "metrics": {"tool_calls": 1.0},
            "tool_defs": [{"name": "weather", "parameters": {"type": "object"}}],
        },
        Conversation(
            turns=(Message("assistant", calls=CALLED.calls, train=True), SUN),
            tools=(WEATHER,),
        ),
    ),
    "otel": (
        {
            "traceId": "t",
            "spanId": "s",
            "name": "chat m",
            "attributes": [
                {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
                {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(OTEL_INPUT)}},
                {"key": "gen_ai.output.messages", "value": {"stringValue": json.dumps(OTEL_OUTPUT)}},
                {"key": "gen_ai.tool.definitions", "value": {"stringValue": json.dumps([WEATHER])}},
            ],
        },
        Conversation(turns=(CALLED, Message("tool", "sun", call_id="c1")), tools=(WEATHER,)),
    ),
    "otel, an attribute for each value": (
        {
            "context": {"trace_id": "0x1", "span_id": "0x2"},
            "name": "openai.chat",
            "attributes": {
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "Weather?",
                "gen_ai.prompt.1.role": "assistant",
                "gen_ai.prompt.1.tool_calls.0.id": "c1",
                "gen_ai.prompt.1.tool_calls.0.name": "weather",
                "gen_ai.prompt.1.tool_calls.0.arguments": '{"city": "Rome"}',
                "gen_ai.prompt.2.role": "tool",
                "gen_ai.prompt.2.tool_call_id": "c1",
                "gen_ai.prompt.2.content": "sun",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": "It is sunny.",
                "llm.request.functions.0.name": "weather",
                "llm.request.functions.0.parameters": '{"type": "object"}',
            },
        },
        Conversation(turns=(CALLED, Message("tool", "sun", call_id="c1")), tools=(WEATHER,)),
    ),
    "openinference": (
        {
            "span_id": "s",
            "attributes": {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": "Weather?",
                "llm.input_messages.1.message.role": "assistant",
                "llm.input_messages.1.message.tool_calls.0.tool_call.id": "c1",
                "llm.input_messages.1.message.tool_calls.0.tool_call.function.name": "weather",
                "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments": '{"city": "Rome"}',
                "llm.input_messages.2.message.role": "tool",
                "llm.input_messages.2.message.tool_call_id": "c1",
                "llm.input_messages.2.message.content": "sun",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.content": "It is sunny.",
                "llm.tools.0.tool.json_schema": json.dumps(WEATHER),
            },
        },
        Conversation(turns=(CALLED, Message("tool", "sun", call_id="c1")), tools=(WEATHER,)),
    ),
    "langfuse": (
        {
            "id": "o",
            "traceId": "t",
            "type": "GENERATION",
            "model": "m",
            "input": {
                "messages": with_call(OPENAI_CALL, tool_call_id="c1", name="weather")[1:-1],
                "tools": [WEATHER],
            },
            "output": {"role": "assistant", "content": "It is sunny."},
            "scores": [{"name": "helpful", "value": 1, "source": "ANNOTATION", "comment": "good"}],
        },
        TALK,
    ),
    "inspect": (
        {
            "id": 1,
            "epoch": 1,
            "input": "Weather?",
            "target": "sun",
            "messages": [
                {"role": "user", "content": "Weather?", "source": "input"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"id": "c1", "function": "weather", "arguments": {"city": "Rome"}, "type": "function"}
                    ],
                },
                {"role": "tool", "content": "attachment://f0", "tool_call_id": "c1", "function": "weather"},
                {"role": "assistant", "content": [{"type": "text", "text": "It is sunny."}], "source": "generate"},
            ],
            "attachments": {"f0": "sun"},
            "output": {"model": "m", "choices": [], "usage": {"total_tokens": 9}},
            "scores": {"match": {"value": "C", "answer": "sun", "explanation": "same"}},
        },
        Conversation(turns=TALK.turns),
    ),
    "harmony": (
        {
            "text": "<|start|>system<|message|>You are ChatGPT.<|end|>"
            "<|start|>user<|message|>Weather?<|end|>"
            "<|start|>assistant<|channel|>analysis<|message|>I must look.<|end|>"
            "<|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
            '{"city": "Rome"}<|call|>'
            "<|start|>functions.weather to=assistant<|channel|>commentary<|message|>sun<|end|>"
            "<|start|>assistant<|channel|>final<|message|>It is sunny.<|return|>",
            "tools": [WEATHER],
        },
        Conversation(
            turns=(
                Message("assistant", reasoning="I must look.", calls=BARE.turns[0].calls),
                Message("tool", "sun", name="weather"),
            ),
            tools=(WEATHER,),
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_calls_and_results_become_turns_in_their_order(shape: str) -> None:
    row, talk = SHAPES[shape]
    found = known(row)
    assert (found.prompt, found.final_answer) == ("Weather?", "It is sunny.")
    assert found.conversation == talk
    assert "between" not in found.meta


def test_scores_reference_and_model_of_other_programs_are_kept() -> None:
    verifiers, langfuse, inspect, span = (
        read(name, SHAPES[name][0])[0] for name in ("verifiers", "langfuse", "inspect", "otel")
    )
    assert scores(verifiers) == {("reward", None): 1.0, ("tool_calls", None): 1.0}
    assert trace_of(verifiers).reference_answer == trace_of(inspect).reference_answer == "sun"
    assert scores(langfuse) == {("helpful", None): 1.0}
    assert scores(inspect) == {("correct", None): 1.0}
    assert [trace_of(item).model for item in (langfuse, inspect, span)] == ["m", "m", "m"]
    assert trace_of(span).meta["otel"] == {"traceId": "t", "spanId": "s", "name": "chat m"}
    assert meta(trace_of(inspect))["output"] == {"usage": {"total_tokens": 9}}


def test_text_that_calls_a_tool_in_another_spelling_stays_text() -> None:
    said = "<tool_call>\n{'name': 'weather', 'arguments': {'city': 'Rome'}}\n</tool_call>"
    turns = [{"from": "human", "value": "Weather?"}, {"from": "gpt", "value": said}]
    found = known({"conversations": turns})
    assert (found.final_answer, found.conversation) == (said, Conversation())


def test_a_system_text_that_lists_tools_keeps_them_and_the_column_stays_in_meta() -> None:
    system = "You call functions. <tools>[]</tools>"
    row = {"conversations": [{"from": "system", "value": system}, *SHAREGPT], "tools": json.dumps([WEATHER])}
    found = known(row)
    assert (found.system, found.conversation.tools, found.meta["tools"]) == (system, (), row["tools"])


def test_a_last_turn_that_only_calls_is_an_answer_of_calls() -> None:
    call = Call("weather", {"city": "Rome"}, "c1")
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "reasoning_content": "Ask.", "content": "", "tool_calls": [OPENAI_CALL]},
    ]
    found = known({"messages": turns, "tools": [WEATHER]})
    assert found.conversation == Conversation(tools=(WEATHER,), calls=(call,))
    assert (found.final_answer, [step.content for step in found.steps]) == (calls_text([call]), ["Ask."])
    row = render(found, ReasoningStyle.THINK, ChatFormat.QWEN3)
    assert row.completion.startswith('<think>\nAsk.\n</think>\n\n<tool_call>\n{"name": "weather"')
    thought = [turns[0], {"role": "assistant", "content": "<think>\nAsk.\n</think>\n\n", "tool_calls": [OPENAI_CALL]}]
    assert known({"messages": thought, "tools": [WEATHER]}).steps == found.steps


def test_parts_that_a_message_mixes_become_turns_in_their_order() -> None:
    content = [
        {"type": "thinking", "thinking": "Which?", "signature": "x"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
        {"type": "text", "text": "And then?"},
    ]
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": content},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sun"}]},
                {"type": "text", "text": "Move on."},
            ],
        },
        {"role": "assistant", "content": "Sunny."},
    ]
    found = known({"messages": turns})
    assert found.prompt == "Move on."
    assert found.conversation.messages == (
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", "Which?", (Call("weather", {"city": "Rome"}, "c1"),)),
        Message("assistant", "And then?"),
        Message("tool", "sun", call_id="c1"),
    )
    assert meta(found)["message_keys"]["messages[2]"] == {"content": content}  # with the signature


def test_a_call_beside_its_mark_of_thinking_is_read_from_a_function_call() -> None:
    value = '<think>Ask.</think>[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {"x": 1}}]'
    turns = [{"from": "human", "value": "q"}, {"from": "function_call", "value": value}]
    found = known({"conversations": turns})
    assert found.conversation.calls == (Call("a"), Call("b", {"x": 1}))
    assert [step.content for step in found.steps] == ["Ask."]


@pytest.mark.parametrize(
    ("key", "turn"),
    [
        ("conversation", {"human": "2+2?", "assistant": "4"}),
        ("conversation", {"system": "S", "input": "2+2?", "output": "4"}),
    ],
)
def test_a_turn_and_its_reply_may_be_one_object(key: str, turn: dict[str, str]) -> None:
    (found,) = read_traces(io.BytesIO(json.dumps({key: [turn]}).encode()), name="f")
    assert isinstance(found, Trace)
    assert (found.prompt, found.final_answer, found.system) == ("2+2?", "4", turn.get("system"))


def _node(parent: int | None, role: str, text: str, *, sampled: bool) -> dict[str, Any]:
    return {"parent": parent, "message": {"role": role, "content": text}, "sampled": sampled}


EPISODE = {
    "id": "e",
    "env": {"id": "add"},
    "ok": True,
    "traces": [
        {
            "version": 1,
            "id": "t",
            "task": {"type": "Add", "data": {"idx": 3, "prompt": "2+2?", "answer": "4"}},
            "agent": {"name": "agent", "trainable": True},
            "tools": [{"name": "weather", "parameters": {"type": "object"}}],
            "nodes": [
                _node(None, "user", "Hello", sampled=False),
                _node(0, "assistant", "Hi", sampled=True),
                _node(1, "user", "2+2?", sampled=False),
                _node(2, "assistant", "4", sampled=True),
                _node(2, "assistant", "5", sampled=True),
            ],
            "calls": [{"node": 1, "model": "m"}],
            "rewards": {"right": {"score": 1.0, "weight": 0.5}},
            "metrics": {"turns": 2.0},
            "info": {"seed": 1},
        }
    ],
}


def test_an_episode_of_verifiers_gives_a_trace_for_each_branch() -> None:
    row = EPISODE
    assert detect_format([row]).format == "verifiers"
    first, second = read("verifiers", row)
    assert [trace_of(item).final_answer for item in (first, second)] == ["4", "5"]
    assert trace_of(first).conversation == Conversation(
        messages=(Message("user", "Hello"), Message("assistant", "Hi", train=True)), tools=(WEATHER,)
    )
    assert scores(first) == {("reward", None): 0.5, ("right", None): 1.0, ("turns", None): 2.0}
    kept = trace_of(second).meta["verifiers"]
    assert (kept["branch"], kept["info"], kept["episode"]["id"]) == (1, {"seed": 1}, "e")
    assert (trace_of(first).reference_answer, trace_of(first).model) == ("4", "m")


def test_spans_of_otlp_are_found_and_those_without_messages_are_told() -> None:
    span, _ = SHAPES["otel"]
    other = {"traceId": "t", "spanId": "x", "name": "GET /", "attributes": []}
    data = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [other, span, span]}]}]}
    reader = read_traces(io.BytesIO(json.dumps(data).encode()), name="f")
    assert reader.format == "otel"
    assert [item.final_answer for item in reader if isinstance(item, Trace)] == ["It is sunny."] * 2
    assert [(warning.text, warning.times) for warning in reader.warnings.found] == [
        ("The row holds no messages of a model and gives no trace.", 1)
    ]


def test_messages_of_older_events_are_read() -> None:
    span = {
        "spanId": "s",
        "attributes": [],
        "events": [
            {"name": "gen_ai.user.message", "attributes": [{"key": "content", "value": {"stringValue": "2+2?"}}]},
            {
                "name": "gen_ai.choice",
                "attributes": [{"key": "message", "value": {"stringValue": '{"role": "assistant", "content": "4"}'}}],
            },
        ],
    }
    assert (known(span).prompt, known(span).final_answer) == ("2+2?", "4")


GIVEN = {"role": "assistant", "parts": [{"type": "text", "content": "4"}]}


@pytest.mark.parametrize(
    ("span", "field"),
    [
        (
            {
                "spanId": "s",
                "attributes": {"gen_ai.input.messages": "[]", "gen_ai.output.messages": [GIVEN, "x", GIVEN]},
            },
            "gen_ai.output.messages[1]",
        ),
        (
            {
                "spanId": "s",
                "attributes": {
                    "llm.output_messages.0.message.role": "assistant",
                    "llm.output_messages.0.message.content": "4",
                    "llm.output_messages.1.message.content": 5,
                    "llm.output_messages.2.message.role": "assistant",
                    "llm.output_messages.2.message.content": "4",
                },
            },
            "llm.output_messages[1]",
        ),
        (
            {
                "spanId": "s",
                "attributes": {},
                "events": [
                    {"name": "gen_ai.choice", "attributes": {"message": message}}
                    for message in ('{"content": "4"}', '{"content": 5}', '{"content": "4"}')
                ],
            },
            "gen_ai.choice[0]",
        ),
    ],
    ids=["one attribute", "an attribute for each value", "events"],
)
def test_a_choice_of_a_span_that_is_no_message_takes_no_other_away(span: dict[str, Any], field: str) -> None:
    user = {"role": "user", "content": "2+2?"}
    if "events" in span:
        asked = {"events": [{"name": "gen_ai.user.message", "attributes": user}, *span["events"]]}
    elif "llm.output_messages.0.message.role" in span["attributes"]:
        more = {f"llm.input_messages.0.message.{key}": value for key, value in user.items()}
        asked = {"attributes": {**more, **span["attributes"]}}
    else:
        asked = {"attributes": {**span["attributes"], "gen_ai.input.messages": [user]}}
    first, bad, last = read_traces(io.BytesIO(json.dumps({**span, **asked}).encode()), name="f")
    assert isinstance(bad, RowError)
    assert bad.field == field
    assert bad.reason.startswith("must be a message with `role` and text `content`")
    assert [trace_of(one).final_answer for one in (first, last)] == ["4", "4"]
    assert [trace_of(one).meta["otel"]["choice"] for one in (first, last)] == [0, 2]


def test_a_trace_of_langfuse_is_its_last_generation() -> None:
    generation, _ = SHAPES["langfuse"]
    early = {**generation, "id": "a", "output": "early", "startTime": "2026-01-01T00:00:00Z"}
    late = {**generation, "startTime": "2026-01-02T00:00:00Z"}
    row = {"id": "t", "name": "agent", "input": "x", "output": "y", "observations": [late, early], "scores": []}
    found = known(row)
    assert (found.final_answer, found.conversation) == ("It is sunny.", TALK)
    text = {"id": "o", "trace_id": "t", "type": "GENERATION", "input": json.dumps(OTEL_INPUT[:1]), "output": "sun"}
    assert (known(text).prompt, known(text).final_answer) == ("Weather?", "sun")
    span = {"id": "o", "trace_id": "t", "type": "SPAN", "input": "a", "output": "b"}
    assert read("langfuse", span) == []


def test_a_log_of_inspect_is_read_by_its_samples() -> None:
    sample, talk = SHAPES["inspect"]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in (1, 2):
            archive.writestr(f"samples/{n}_epoch_1.json", json.dumps({**sample, "id": n}, indent=2))
        archive.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {"task": "t"}}))
        archive.writestr("summaries.json", json.dumps([{"id": 1, "epoch": 1, "input": "x", "target": "y"}]))
    reader = read_traces(io.BytesIO(sink.getvalue()), name="f.eval")
    found = [trace_of(item) for item in reader]
    assert [one.meta["id"] for one in found] == [1, 2]
    assert [one.conversation for one in found] == [talk, talk]
    log = {"version": 2, "status": "success", "samples": [sample]}
    (same,) = read_traces(io.BytesIO(json.dumps(log, indent=2).encode()), name="f.json")
    assert trace_of(same).conversation == talk


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (
            {"messages": [*with_call({"id": 1}), {"role": "assistant", "content": "a"}]},
            "messages[2].tool_calls[0]",
            "without a name",
        ),
        (
            {"messages": [{"role": "narrator", "content": "x"}, *with_call(OPENAI_CALL)]},
            "messages[0]",
            "which no conversation has",
        ),
        (
            {"text": "<|start|>user<|message|>q<|end|>hello<|start|>assistant<|channel|>final<|message|>a"},
            "text",
            "has text outside",
        ),
        ({"text": "<|start|>assistant<|channel|>analysis<|message|>q<|end|>"}, "text", "ends with thoughts"),
        ({"traces": [{"nodes": [{"parent": 3, "message": {}}]}]}, "traces[0].nodes[0].parent", "must be an earlier"),
        ({"id": "o", "traceId": "t", "input": {"a": 1}, "output": "b"}, "input", "must be text or messages"),
        (
            {"schema_version": "ATIF-v1.0", "steps": [{"source": {}, "message": "x"}]},
            "steps[0].source",
            "must be user, agent or system",
        ),
    ],
)
def test_what_is_no_conversation_is_refused_by_its_place(row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        known(row)
    assert caught.value.field == field
    assert reason in caught.value.reason


_JUNK: list[Any] = [None, True, -1, "", "x", "[1]", '{"a": 1}', [], {}, [None], {"a": 1}, {"type": {}}, {"role": []}]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value inside of a value is."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _places(inner, (*path, key))


def test_a_conversation_with_any_value_of_another_kind_is_a_trace_or_a_named_error() -> None:
    rng = random.Random(0)
    for _ in range(examples(1_500)):
        row = json.loads(json.dumps(rng.choice([EPISODE, *(row for row, _ in SHAPES.values())])))
        *path, last = rng.choice(list(_places(row)))
        held = row
        for key in path:
            held = held[key]
        held[last] = rng.choice(_JUNK)
        try:
            for item in read_traces(io.BytesIO(json.dumps(row).encode()), name="f"):
                assert not isinstance(item, RowError) or item.reason
        except UnreadableFile:
            continue


def test_a_file_may_mix_the_formats_of_chats() -> None:
    asked, said = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
    rows = [
        {"messages": [asked, said]},
        {"messages": [asked, said]},
        {
            "input": {"messages": [asked]},
            "preferred_output": [said],
            "non_preferred_output": [{**said, "content": "5"}],
        },
    ]
    reader = read_traces(io.BytesIO(b"".join(json.dumps(row).encode() + b"\n" for row in rows)), name="f")
    found = list(reader)
    assert len(found) == 4
    assert not [item for item in found if isinstance(item, RowError)]
    assert [warning.first_line for warning in reader.warnings.found] == [3]


# --- what is beside the messages, and is easily lost ----------------------------------------------------------------

ASKED = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
PARTS = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]


@pytest.mark.parametrize(
    "row",
    [
        {"system": "Be brief.", "messages": ASKED},
        {"system": PARTS, "messages": ASKED},
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "messages": ASKED},
        {"system": "Be brief.", "messages": [{"role": "system", "content": "Be brief."}, *ASKED]},
        {"system": "Be brief.", "conversations": [{"from": "system", "value": "Be brief."}, *ASKED]},
        {"system": "Be brief.", "prompt": "2+2?", "completion": "4"},
        {"system": "Be brief.", "prompt": ASKED[:1], "completion": ASKED[1:]},
        {"system_prompt": "Be brief.", "question": "2+2?", "answer": "4"},
        {"system_prompt": "Be brief.", "instruction": "2+2?", "output": "4"},
        {"instructions": "Be brief.", "input": ASKED[:1], "output": ASKED[1:]},
    ],
)
def test_a_system_text_beside_a_conversation_is_its_system_text_once(row: dict[str, Any]) -> None:
    trace = known(row)
    assert (trace.system, trace.prompt, trace.final_answer) == ("Be brief.", "2+2?", "4")
    assert trace.conversation == Conversation()


def test_what_parts_of_a_system_text_hold_besides_is_kept() -> None:
    parts = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert known({"system": parts, "messages": ASKED}).meta["system"] == parts


def test_an_alpaca_row_keeps_its_history_and_its_tools() -> None:
    row = {"instruction": "And 3+3?", "input": "", "output": "6", "history": [["2+2?", "4"]], "tools": [WEATHER]}
    trace = known(row)
    told = (Message("user", "2+2?"), Message("assistant", "4"))
    assert (trace.prompt, trace.final_answer) == ("And 3+3?", "6")
    assert trace.conversation == Conversation(messages=told, tools=(WEATHER,))
    with pytest.raises(InvalidTrace, match="history: must be a list of pairs of texts"):
        known(row | {"history": ["2+2?", "4"]})


@pytest.mark.parametrize(
    "row", [{"query": "3+3?", "response": "6"}, {"question": "3+3?", "chosen": "6", "rejected": "7"}]
)
def test_earlier_pairs_beside_a_question_are_its_messages(row: dict[str, Any]) -> None:
    row = row | {"history": [["2+2?", "4"]]}
    first = next(iter(read(detect_format([row]).format, row)))
    trace = trace_of(first)
    assert trace.conversation.messages == (Message("user", "2+2?"), Message("assistant", "4"))
    assert "history" not in trace.meta
    assert known({"question": "Who?", "answer": "Tom", "history": "of Rome"}).meta["history"] == "of Rome"


def test_what_harmony_says_before_a_call_is_the_same_turn() -> None:
    text = (
        "<|start|>user<|message|>Weather?<|end|><|start|>assistant<|channel|>commentary<|message|>One moment.<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.weather<|message|>{"city": "Rome"}<|call|>'
        "<|start|>functions.weather to=assistant<|channel|>commentary<|message|>sun<|end|>"
        "<|start|>assistant<|channel|>final<|message|>It is sunny.<|return|>"
    )
    said = Message("assistant", "One moment.", calls=(Call("weather", {"city": "Rome"}),))
    assert known({"text": text}).conversation.turns == (said, Message("tool", "sun", name="weather"))


def test_the_output_of_a_langfuse_row_may_be_the_parts_of_a_message() -> None:
    row = {"traceId": "t", "type": "GENERATION", "input": ASKED[:1], "output": [{"type": "text", "text": "4"}]}
    assert known(row).final_answer == "4"


def test_items_of_a_response_are_one_turn_up_to_their_results() -> None:
    def item(kind: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, **more}

    row = {
        "messages": [
            {"role": "user", "content": "Weather?"},
            item("reasoning", summary=[{"type": "summary_text", "text": "I must look."}]),
            item("message", role="assistant", content=[{"type": "output_text", "text": "One moment."}]),
            item("function_call", call_id="c1", name="weather", arguments='{"city": "Rome"}'),
            item("function_call", call_id="c2", name="weather", arguments='{"city": "Bonn"}'),
            item("function_call_output", call_id="c1", output="sun"),
            item("function_call_output", call_id="c2", output="rain"),
            {"role": "assistant", "content": "Sun and rain."},
        ]
    }
    calls = (Call("weather", {"city": "Rome"}, "c1"), Call("weather", {"city": "Bonn"}, "c2"))
    assert known(row).conversation.turns == (
        Message("assistant", "One moment.", "I must look.", calls),
        Message("tool", "sun", call_id="c1"),
        Message("tool", "rain", call_id="c2"),
    )


def test_a_misspelt_role_behind_the_last_answer_is_an_error() -> None:
    turns = [*ASKED, {"role": "user", "content": "3+3?"}, {"role": "asistant", "content": "6"}]
    with pytest.raises(InvalidTrace, match=r"messages\[3\]: has the role 'asistant', which no conversation has"):
        known({"messages": turns})


def test_an_empty_turn_of_the_user_is_named_by_its_place() -> None:
    with pytest.raises(InvalidTrace, match=r"messages\[2\]: is empty"):
        known({"messages": [*ASKED, {"role": "user", "content": ""}, {"role": "assistant", "content": "6"}]})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"images": ["a.png"]}, "The column 'images' holds media"),
        ({"tools": "weather(city)"}, "The column 'tools' holds no definitions of tools that could be read"),
        ({"images": [], "tools": "[]"}, None),
        ({"tools": [WEATHER]}, None),
    ],
)
def test_media_and_unreadable_tools_are_warnings(more: dict[str, Any], said: str | None) -> None:
    reader = read_traces(io.BytesIO(json.dumps({"messages": ASKED, **more}).encode()), name="rows.jsonl")
    assert len(list(reader)) == 1
    found = [warning.text for warning in reader.warnings.found]
    assert (said is None and not found) or (said is not None and said in found[0])
