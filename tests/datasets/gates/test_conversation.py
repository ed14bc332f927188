"""The gate `conversation` names the turn that is out of order, and lets sound conversations pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.datasets.gates.makers import run_gate
from tunixrt_core.datasets.gates.texts import part
from tunixrt_core.datasets.gates.why import view
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Trace

USER, SAID = Message("user", "Hi"), Message("assistant", "Hello")
CALLING = Message("assistant", calls=(Call("f", {"x": 1}, "c1"), Call("g", {}, "c2")))
RESULTS = (Message("tool", "2", call_id="c2"), Message("tool", "1", call_id="c1"))


def trace(*messages: Message, turns: tuple[Message, ...] = (), **more: Any) -> Trace:
    return Trace("q", (), "a", conversation=Conversation(messages, turns), **more)


@pytest.mark.parametrize(
    ("faulty", "reason", "place"),
    [
        (trace(Message("user", " "), SAID), "empty_user", "messages[0].content"),
        (trace(USER), "order", "prompt"),
        (trace(USER, Message("user", "again"), SAID), "order", "messages[1].content"),
        (trace(SAID), "order", "messages[0].content"),
        (trace(USER, Message("tool", "7"), SAID), "order", "messages[1].content"),
        (trace(turns=(Message("tool", "7"),)), "order", "turns[0].content"),
        (trace(turns=(CALLING, RESULTS[0])), "no_result", "turns[0].calls[0]"),
        (trace(USER, CALLING), "no_result", "messages[1].calls[0]"),
        (trace(turns=(CALLING, Message("tool", "7", call_id="c3"))), "no_call", "turns[1].content"),
        (trace(turns=(CALLING, *RESULTS, Message("tool", "7"))), "no_call", "turns[3].content"),
        (Trace("q", (), "a", meta={"earlier": [{"role": "user", "content": "Hi"}]}), "old_import", None),
        (Trace("q", (), "a", meta={"between": [{"from": "tool", "value": "7"}]}), "old_import", None),
    ],
)
def test_the_first_fault_is_found_with_its_turn(faulty: Trace, reason: str, place: str | None) -> None:
    (found,) = run_gate("conversation", [faulty]).findings
    assert (found.reason, found.detail.get("field")) == (reason, place)
    shown = view(0, found, faulty, None)
    assert shown.words != reason
    assert place is None or shown.span == part(faulty, place)


@pytest.mark.parametrize(
    "sound",
    [
        Trace("q", (), "a"),
        Trace("q", (), "a", meta={"earlier": "a word", "between": []}),
        trace(USER, SAID),
        trace(USER, SAID, Message("system", "Be brief.")),
        trace(turns=(CALLING, *RESULTS)),
        trace(turns=(Message("assistant", calls=(Call("f"), Call("g"))), Message("tool", "1"), Message("tool", "2"))),
        trace(turns=(Message("assistant", "<tool_call>\n{'name': 'f'}\n</tool_call>"), Message("tool", "7"))),
        Trace("q", (), "{}", conversation=Conversation(calls=(Call("f"),))),
    ],
)
def test_a_sound_conversation_passes(sound: Trace) -> None:
    assert run_gate("conversation", [sound]).findings == []
