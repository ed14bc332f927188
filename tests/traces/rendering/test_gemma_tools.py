"""Gemma 4 writes what belongs to tools within the turn of the model, in a form of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.helpers.conversations import CALL, TOOL, called, calling, conversations
from tests.traces.rendering.test_context import theirs
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.families.gemma_tools import gemma_call, read_gemma_calls
from tunixrt_core.traces.rendering.families.gemma_values import read_entries, write_entries
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.traces.rendering.read_calls import read_calls
from tunixrt_core.traces.rendering.row import TurnOptions, render, render_prompt
from tunixrt_core.traces.rendering.styles import ReasoningStyle

GEMMA4, THINK = ChatFormat.GEMMA4, ReasoningStyle.THINK

_NAMES = st.sampled_from(["a", "B", "type", "description", "properties", "city", "c_1"])
_LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "Integer", "number", "boolean"])},
    optional={
        "description": st.sampled_from(["", "A city", 'with "quotes"']),
        "enum": st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "nullable": st.booleans(),
        "default": st.sampled_from([None, 1, "x", True]),
    },
)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(_NAMES, inner, max_size=3)
    required = st.lists(_NAMES, max_size=2)
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={"properties": properties, "required": required, "description": st.just("An object")},
    )
    items = inner | st.fixed_dictionaries({"type": st.just(["string", "null"]), "minItems": st.integers(0, 3)})
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")}, optional={"items": items, "description": st.just("Some"), "nullable": st.booleans()}
    )
    return objects | arrays


_SCHEMAS = st.recursive(_LEAVES, _schemas, max_leaves=6)
_TOOLS = st.fixed_dictionaries(
    {"name": st.sampled_from(["weather", "add_2"])},
    optional={
        "description": st.sampled_from(["", " The weather "]),
        "parameters": st.fixed_dictionaries(
            {"type": st.just("object")},
            optional={
                "properties": st.dictionaries(_NAMES, _SCHEMAS, max_size=3),
                "required": st.lists(_NAMES, max_size=2),
            },
        ),
        "response": st.fixed_dictionaries({"type": st.just("object")}, optional={"description": st.just("degrees")}),
    },
).map(lambda function: {"type": "function", "function": function})


@settings(max_examples=examples(100))
@given(st.lists(_TOOLS, min_size=1, max_size=2), st.sampled_from([None, " Be brief. "]), st.booleans())
def test_every_definition_is_written_as_the_template_does(tools: list[Any], system: str | None, thinks: bool) -> None:
    talk = Conversation(tools=tuple(tools))
    style = THINK if thinks else ReasoningStyle.ANSWER
    ours = render_prompt("Weather?", GEMMA4, style, system=system, conversation=talk)
    assert ours == theirs(GEMMA4, talk, "Weather?", system=system, thinks=thinks)


def _with_ids(talk: Conversation) -> Conversation:
    """The template tells results apart by the ids of their calls."""

    def numbered(messages: tuple[Message, ...], name: str) -> tuple[Message, ...]:
        found: list[Message] = []
        for i, message in enumerate(messages):
            if message.calls:
                calls = tuple(Call(call.name, call.value, f"{name}{i}") for call in message.calls)
                message = Message("assistant", message.content, message.reasoning, calls)
            elif message.role == "tool":
                message = Message("tool", message.content, call_id=f"{name}{i - 1}")
            found.append(message)
        return tuple(found)

    return Conversation(numbered(talk.messages, "m"), numbered(talk.turns, "t"), talk.tools)


@settings(max_examples=examples(100))
@given(conversations(tools=True).map(_with_ids), st.booleans())
def test_every_conversation_is_written_as_the_template_does(talk: Conversation, thinks: bool) -> None:
    style = THINK if thinks else ReasoningStyle.ANSWER
    ours = render_prompt("And?", GEMMA4, style, conversation=talk)
    assert ours == theirs(GEMMA4, talk, "And?", thinks=thinks)


RESULT = '<|tool_response>response:weather{value:<|"|>1 degrees<|"|>}<tool_response|>'
CALLED = '<|tool_call>call:weather{city:<|"|>Köln<|"|>,days:2}<tool_call|>'


def test_the_answer_goes_on_in_the_turn_that_called() -> None:
    row = render(called(), THINK, GEMMA4)
    assert row.prompt.endswith(
        f"<|turn>user\nWeather in 1 days?<turn|>\n<|turn>model\n{CALLED}{RESULT}<|channel>thought\n"
    )
    assert row.completion == "The tool said it.\n<channel|>1 degrees<turn|>\n"
    quiet = render(called(), ReasoningStyle.ANSWER, GEMMA4)
    assert quiet.prompt.endswith(RESULT)
    assert quiet.completion == "1 degrees<turn|>\n"
    thoughtless = render(called(steps=()), THINK, GEMMA4)
    assert thoughtless.completion == "<channel|>1 degrees<turn|>\n"
    assert parse_completion(row.completion.removesuffix("<turn|>\n"), THINK).answer == "1 degrees"


def test_a_final_call_ends_with_the_token_that_waits_for_its_result() -> None:
    row = render(calling(), THINK, GEMMA4)
    assert row.completion == f"<|channel>thought\nI must look.\n<channel|>{CALLED}<|tool_response>"
    answer = parse_completion(row.completion, THINK).answer
    assert read_calls(answer or "") == ("", (CALL,))


def test_only_what_the_model_writes_of_an_earlier_call_is_trained_on() -> None:
    row = render(called(), ReasoningStyle.ANSWER, GEMMA4, turns=TurnOptions(train_on=TrainOn.ALL))
    trained = [stretch.text for stretch in row.stretches if stretch.trained]
    assert trained == [f"{CALLED}<|tool_response>", "1 degrees<turn|>\n"]


def test_earlier_thinking_is_kept_in_its_channel_where_it_is_asked_for() -> None:
    turns = (Message("assistant", reasoning="I must look.", calls=(CALL,)), Message("tool", "1 degrees"))
    talk = Conversation((Message("user", "2+2?"), Message("assistant", "4", reasoning="2 and 2")), turns)

    def written(thinking: EarlierThinking) -> str:
        return render_prompt("?", GEMMA4, THINK, conversation=talk, turns=TurnOptions(thinking=thinking))

    assert "<|channel>thought\n2 and 2\n<channel|>4<turn|>" in written(EarlierThinking.KEEP)
    assert "2 and 2" not in written(EarlierThinking.TEMPLATE)
    assert f"<|channel>thought\nI must look.\n<channel|>{CALLED}" in written(EarlierThinking.TEMPLATE)
    assert "I must look." not in written(EarlierThinking.DROP)


def test_what_the_form_has_no_place_for_is_said() -> None:
    for turns, why in (
        ((Message("tool", "1"),), "a result of a tool that no turn before it calls"),
        ((Message("assistant", calls=(Call("weather", "Köln"),)),), "whose arguments are no JSON object"),
    ):
        with pytest.raises(InvalidTrace, match=why):
            render_prompt("?", GEMMA4, THINK, conversation=Conversation(turns=turns, tools=(TOOL,)))


def test_a_result_without_an_id_is_that_of_the_call_in_its_place() -> None:
    calls = (Call("weather", {}), Call("time", {}))
    turns = (Message("assistant", calls=calls), Message("tool", "sun"), Message("tool", "noon", name="clock"))
    text = render_prompt("?", GEMMA4, THINK, conversation=Conversation(turns=turns))
    assert 'response:weather{value:<|"|>sun<|"|>}' in text
    assert 'response:clock{value:<|"|>noon<|"|>}' in text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-1e6, 1e6) | st.text('ab {}[]:,"é\n', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(st.text("abX_1", min_size=1, max_size=3), _VALUES, max_size=3)


@given(_OBJECTS, st.booleans())
def test_values_are_read_as_they_were_written(value: dict[str, Any], bare: bool) -> None:
    assert read_entries(f"{{{write_entries(value, bare_keys=bare)}}}") == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "{a}", "{a:}", "{a:1", "{a:1,}", "{a:[1,]}", "{a:1}b", "{a:Köln}", '{a:<|"|>b}', "[1]", "{a:" * 200],
)
def test_what_is_no_object_is_not_read(text: str) -> None:
    assert read_entries(text) is None


@given(st.lists(st.builds(Call, st.sampled_from(["f", "get_x"]), _OBJECTS), min_size=1, max_size=3))
def test_calls_are_read_with_what_stands_before_them(calls: list[Call]) -> None:
    text = "".join(map(gemma_call, calls))
    for said in ("", "Let me see."):
        found = read_gemma_calls(said + text + "<|tool_response>")
        assert found is not None
        assert found[0] == said
        assert [(call.name, call.value) for call in found[1]] == [(call.name, call.value) for call in calls]
    assert json.loads(calls_text(calls[:1]))["name"] == calls[0].name


@pytest.mark.parametrize(
    "text", ["<|tool_call>call:f{a:1}<tool_call|> and on", "<|tool_call>call:f{a:}<tool_call|>", "<|tool_call>{}"]
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read_calls(text) == (text, ())
