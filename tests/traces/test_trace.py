"""The trace: validation, identity, group key."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import Call, Conversation, Message, call_text
from tunixrt_core.traces.trace import MAX_TRACE_BYTES, Step, Trace, group_key_of, normalise_prompt, parse_steps
from tunixrt_core.traces.words import INVISIBLE

GOOD: dict[str, Any] = {"prompt": "2+3?", "steps": ["2 and 3 is 5"], "final_answer": "5"}


def test_a_trace_round_trips_through_its_json_form() -> None:
    full = Trace(
        prompt="2+3?",
        steps=(Step(0, "add", "plan"), Step(1, "5")),
        final_answer="5",
        meta={"n": [1, None, 0.5]},
        system="Be brief.",
        reference_answer="5",
        source="test",
        model="m",
    )
    again = Trace.from_dict(orjson.loads(full.canonical))
    assert again == full
    assert again.content_hash == full.content_hash == hashlib.sha256(full.canonical).hexdigest()


def test_a_stored_trace_equals_the_one_that_was_checked() -> None:
    for change in ({}, {"source": "s", "meta": {"a": [1]}, "steps": [{"content": "c", "type": "plan"}]}):
        made = Trace.from_dict(GOOD | change)
        again = Trace.from_canonical(made.canonical)
        assert (again, again.to_dict(), again.content_hash) == (made, made.to_dict(), made.content_hash)
        assert dataclasses.replace(again, prompt="other").content_hash != made.content_hash


def test_unset_fields_are_left_out_and_do_not_change_the_hash() -> None:
    assert set(Trace.from_dict(GOOD).to_dict()) == {"trace_version", "prompt", "steps", "final_answer", "meta"}
    assert Trace.from_dict(GOOD | {"source": None}).content_hash == Trace.from_dict(GOOD).content_hash


@pytest.mark.parametrize("field", ["prompt", "final_answer", "source", "meta", "steps"])
def test_every_field_is_part_of_the_identity(field: str) -> None:
    other = {"meta": {"a": 1}, "steps": ["other"]}.get(field, "other")
    assert Trace.from_dict(GOOD | {field: other}).content_hash != Trace.from_dict(GOOD).content_hash


def test_a_trace_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Trace.from_dict(GOOD).prompt = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"final_answer": " \n"}, "final_answer"),
        ({"steps": "one"}, "steps"),
        ({"steps": ["a", 2]}, "steps[1]"),
        ({"steps": ["a", ""]}, "steps[1].content"),
        ({"steps": [{"type": "x"}]}, "steps[0].content"),
        ({"steps": [{"content": "x", "score": 1}]}, "steps[0].score"),
        ({"steps": [{"content": "x", "i": 1}]}, "steps[0].i"),
        ({"steps": [{"content": "x", "type": ""}]}, "steps[0].type"),
        ({"meta": [1]}, "meta"),
        ({"meta": {"a": {"b": float("nan")}}}, "meta.a.b"),
        ({"meta": {"a": 2**70}}, "meta.a"),
        ({"system": "\0"}, "system"),
        ({"source": "\ud800"}, "source"),
        ({"trace_version": "9"}, "trace_version"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_broken_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        Trace.from_dict(GOOD | change)
    assert caught.value.field == field


@pytest.mark.parametrize("missing", ["prompt", "steps", "final_answer"])
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(InvalidTrace, match=f"{missing}: is missing"):
        Trace.from_dict({key: value for key, value in GOOD.items() if key != missing})


def test_a_trace_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidTrace, match="at most 1,048,576"):
        Trace.from_dict(GOOD | {"steps": ["x" * MAX_TRACE_BYTES]})


def test_a_long_step_is_welcome() -> None:
    assert Trace.from_dict(GOOD | {"steps": ["x" * 60_000]})


def test_steps_are_numbered_in_order() -> None:
    steps = parse_steps(["a", {"content": "b", "type": "plan"}, Step(9, "c")])
    assert [(step.i, step.content, step.type) for step in steps] == [
        (0, "a", "reason"),
        (1, "b", "plan"),
        (2, "c", "reason"),
    ]


def test_prompts_that_differ_in_case_and_space_only_are_one_group() -> None:
    assert normalise_prompt("  What\nis ＡＢ？ ") == "what is ab?"
    one, other = Trace.from_dict(GOOD), Trace.from_dict(GOOD | {"prompt": " 2+3?\n", "steps": []})
    assert one.group_key == other.group_key
    assert one.content_hash != other.content_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is “it”? It’s", 'what is "it"? It\'s'),
        ("ph\u00adoto\u200bgra\u2060ph \ufeff\u200e(\u202b1\u202c)", "photograph (1)"),
        ("f′(x) ❤\ufe0f", "f'(x) ❤"),
        ("农民\u200b有羊", "农民有羊"),
    ],
)
def test_prompts_that_differ_in_unseen_characters_and_quotes_only_are_one_group(one: str, other: str) -> None:
    assert group_key_of(one) == group_key_of(other)


_CHANGED = re.compile(f"[{INVISIBLE}\u2018-\u201f\u02bc\u2032\u2033]")


@given(
    st.text(st.characters(codec="ascii"))
    | st.text(st.characters(codec="utf-8").filter(lambda one: not _CHANGED.match(one)))
)
def test_any_other_prompt_keeps_its_key(prompt: str) -> None:
    expected = " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    assert normalise_prompt(prompt) == expected
    assert group_key_of(prompt) == hashlib.sha256(expected.encode()).hexdigest()


def test_the_order_of_arguments_is_kept_and_changes_no_prompt_group() -> None:
    one, other = (
        Trace("p", (), "1", conversation=Conversation(messages=(Message("assistant", calls=(Call("f", arguments),)),)))
        for arguments in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )
    assert one.group_key == other.group_key
    read = Trace.from_canonical(other.canonical)
    assert read == other != one
    assert call_text(read.conversation.messages[0].calls[0]) == '{"name": "f", "arguments": {"b": 2, "a": 1}}'
