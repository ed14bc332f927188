"""Nothing of a conversation is lost: each role, text, call and result stays, in order; marks say what is trained."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.ingest.formats.test_formats import convert, meta, read
from tests.ingest.formats.test_public_formats import trace_of
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.verdicts import judged
from tunixrt_core.traces.conversation import Call, Message
from tunixrt_core.traces.scores import ScoredTrace, is_negative
from tunixrt_core.traces.trace import Trace

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0<\\#"), max_size=20)
_NAME = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAME, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def _call(draw: st.DrawFn) -> dict[str, Any]:
    held = draw(st.dictionaries(_NAME, _VALUE, max_size=3))
    told = draw(st.sampled_from([held, json.dumps(held), json.dumps(held, separators=(",", ":")), "{broken"]))
    return {"id": draw(_NAME), "type": "function", "function": {"name": draw(_NAME), "arguments": told}}


@st.composite
def _replies(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What the assistant does until it has answered: calls with their results."""
    found: list[dict[str, Any]] = []
    for calls in draw(st.lists(st.lists(_call(), min_size=1, max_size=2), max_size=2)):
        said: dict[str, Any] = {"role": "assistant", "content": draw(_TEXT), "tool_calls": calls}
        if thought := draw(st.sampled_from(["", "I think."])):
            said["reasoning_content"] = thought
        found.append(said)
        found += [
            {"role": "tool", "content": draw(_TEXT), "tool_call_id": call["id"], "name": call["function"]["name"]}
            for call in calls
        ]
    return found


@st.composite
def _chats(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if draw(st.booleans()):
        found.append({"role": "system", "content": draw(_TEXT)})
    exchanges = draw(st.integers(1, 3))
    for n in range(exchanges):
        found.append({"role": "user", "content": f"{draw(_TEXT)}?"})
        found += draw(_replies())
        if n + 1 < exchanges or draw(st.booleans()):
            found.append({"role": "assistant", "content": f"a{draw(_TEXT)}."})
    if found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": "", "tool_calls": [draw(_call())]})
    return found


def _arguments(value: Any) -> Any:
    """As an object where it is one or its JSON text: a trace keeps the text where an object would change it."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _openai(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning:
        found["reasoning_content"] = message.reasoning
    if message.calls:
        found["tool_calls"] = _calls(message.calls)
    if message.role == "tool":
        found |= {"tool_call_id": message.call_id, "name": message.name}
    return found


def _calls(calls: tuple[Call, ...]) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call.arguments)}}
        for call in calls
    ]


def _back(trace: Trace) -> list[dict[str, Any]]:
    talk = trace.conversation
    found = [] if trace.system is None else [{"role": "system", "content": trace.system}]
    found += [_openai(each) for each in (*talk.messages, Message("user", trace.prompt), *talk.turns)]
    last: dict[str, Any] = {"role": "assistant", "content": trace.final_answer}
    if talk.calls:
        last = {"role": "assistant", "content": "", "tool_calls": _calls(talk.calls)}
    return [*found, last]


def _expected(chat: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = json.loads(json.dumps(chat))
    for message in made:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = _arguments(call["function"]["arguments"])
    if not made[-1].get("tool_calls"):
        made[-1]["content"] = made[-1]["content"].strip()
    return made


@given(chat=_chats())
@settings(max_examples=examples(200), deadline=None)
def test_a_conversation_comes_back_as_it_was(chat: list[dict[str, Any]]) -> None:
    trace = convert("messages", {"messages": chat})
    assert _back(trace) == _expected(chat)
    assert set(trace.meta) == {"splitting"}
    assert _back(Trace.from_canonical(trace.canonical)) == _expected(chat)


def test_the_text_of_arguments_is_kept() -> None:
    def arguments(value: Any) -> Any:
        call = {"function": {"name": "f", "arguments": value}}
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
        return convert("messages", {"messages": turns}).conversation.calls[0].arguments

    assert arguments('{"b": 1, "a": 2}') == '{"b": 1, "a": 2}'
    assert arguments({"b": 1, "a": 2}) == '{"b": 1, "a": 2}'
    assert arguments('{"a":1}') == '{"a":1}'
    assert arguments("{broken") == "{broken"
    assert arguments(None) == "{}"


# --- what is trained -------------------------------------------------------------------------------------------------

ASKED, ANSWERED, MORE = (
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "b"},
)


@pytest.mark.parametrize(
    ("mark", "train", "left"),
    [
        ({"weight": 0}, False, {}),
        ({"weight": 1}, True, {}),
        ({"weight": 0.5}, True, {"weight": 0.5}),
        ({"train": False}, False, {}),
        ({"trainable": True}, True, {}),
        ({"loss": True}, True, {}),
        ({"loss_mask": 0}, False, {}),
        ({"masked": True}, False, {}),
        ({"mask": False}, True, {}),
        ({"weight": "heavy"}, None, {"weight": "heavy"}),
        ({}, None, {}),
    ],
)
def test_marks_of_an_earlier_turn_say_whether_it_is_trained(
    mark: dict[str, Any], train: bool | None, left: dict[str, Any]
) -> None:
    turns = [ASKED, {**ANSWERED, **mark}, MORE, {"role": "assistant", "content": "B"}]
    trace = convert("messages", {"messages": turns})
    assert trace.conversation.messages[1].train is train
    assert meta(trace) == ({"message_keys": {"messages[1]": left}} if left else {})


def test_the_answer_is_the_last_turn_that_is_not_left_out() -> None:
    turns = [ASKED, ANSWERED, MORE, {"role": "assistant", "content": "B", "weight": 0}]
    trace = convert("messages", {"messages": turns})
    assert (trace.prompt, trace.final_answer) == ("a", "A")
    assert trace.meta["later"] == turns[2:]


def test_a_conversation_of_turns_that_are_left_out_is_a_negative_example() -> None:
    turns = [ASKED, {**ANSWERED, "masked": True}, MORE, {"role": "assistant", "content": "B", "masked": True}]
    (item,) = judged(read("messages", {"messages": turns}), "messages")
    assert isinstance(item, ScoredTrace)
    assert (item.trace.final_answer, is_negative(item.scores)) == ("B", True)


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ("User", "user"),
        ("HUMAN", "user"),
        ("GPT", "assistant"),
        ("model", "assistant"),
        ("bot", "assistant"),
        ("Developer", "system"),
        ("ipython", "tool"),
        ("observation", "tool"),
        ("environment", "tool"),
        ("tool-response", "tool"),
        ("function", "tool"),
    ],
)
def test_roles_of_other_programs_are_known_in_any_case(role: str, meant: str) -> None:
    turns = [ASKED, ANSWERED, {"role": role, "content": "x"}, MORE, {"role": "assistant", "content": "B"}]
    (item,) = read("messages", {"messages": turns})
    assert trace_of(item).conversation.messages[2].role == meant


def test_a_turn_of_the_system_between_prompt_and_answer_is_refused_by_its_place() -> None:
    turns = [ASKED, {"role": "system", "content": "S"}, ANSWERED]
    with pytest.raises(InvalidTrace) as caught:
        convert("messages", {"messages": turns})
    assert caught.value.field == "messages[1].role"
