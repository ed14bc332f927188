"""Turns of a conversation as an HTML list: roles, texts, tool calls, results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import orjson
import streamlit as st

from app.ui import blocks
from app.ui.words import one_line, plural
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Trace

_SHOWN = 600  # the most characters of a text that is not folded
_FIRST = 160  # those that are shown of a folded one
_LIST = 8  # the most turns that are not folded
_TINTS = {"user": "blue", "assistant": "green", "tool": "amber"}


def show_prompt(trace: Trace, *, named: bool = False) -> None:
    """The prompt of a trace, in the conversation that it is part of. `named`: with a caption in any case."""
    talk = trace.conversation
    if talk.tools:
        st.caption("Tools")
        blocks.html("".join(_folded(_tool_name(tool), _json(tool)) for tool in talk.tool_values))
    if talk.messages:
        st.caption(f"Before the prompt · {plural(len(talk.messages), 'turn')}")
        _listed(talk.messages)
    if named or talk.tools or talk.messages or talk.turns:
        st.caption("Prompt")
    blocks.prose(trace.prompt)
    if talk.turns:
        st.caption(f"Tool use · {plural(len(talk.turns), 'turn')}")
        _listed(talk.turns)


def show_around(talk: Conversation) -> None:
    """Tools, the turns before a prompt that is not written yet, and those behind it."""
    if talk.tools:
        st.caption("Tools")
        blocks.html("".join(_folded(_tool_name(tool), _json(tool)) for tool in talk.tool_values))
    if talk.messages:
        st.caption(f"Before the prompt · {plural(len(talk.messages), 'turn')}")
        _listed(talk.messages)
    if talk.turns:
        st.caption(f"Behind the prompt · {plural(len(talk.turns), 'turn')}")
        _listed(talk.turns)


def show_calls(calls: Sequence[Call]) -> None:
    """The calls of a final turn, each with its arguments; nothing where there are none."""
    if calls:
        st.caption("Tool calls of the answer")
        blocks.html("".join(map(_call, calls)))


def _listed(turns: Sequence[Message]) -> None:
    items = "".join(map(_turn, turns))
    listed = f"<ol class='turns'>{items}</ol>"
    if len(turns) > _LIST:
        listed = f"<details><summary>{plural(len(turns), 'turn')}</summary>{listed}</details>"
    blocks.html(listed)


def _turn(message: Message) -> str:
    tint = _TINTS.get(message.role, "grey")
    notes = "".join(f" <span class='mut small'>{escape(note)}</span>" for note in _notes(message))
    thought = f"<div class='mut small'>Thinking</div>{_text(message.reasoning, 'mut')}" if message.reasoning else ""
    said = _text(message.content) if message.content or not (message.calls or message.reasoning) else ""
    calls = "".join(map(_call, message.calls))
    return f"<li><span class='chip {tint}'>{escape(message.role)}</span>{notes}{thought}{said}{calls}</li>"


def _notes(message: Message) -> Iterable[str]:
    if message.name:
        yield message.name
    if message.call_id:
        yield f"for call {message.call_id}"
    if message.train is not None:
        yield "trained" if message.train else "not trained"


def _text(text: str, css: str = "") -> str:
    if not text:
        return f"<div>{blocks.EMPTY}</div>"
    if len(text) > _SHOWN:
        return _folded(f"{one_line(text, _FIRST)} · {len(text):,} characters", text, css)
    return f"<div class='text {css}'>{escape(text)}</div>"


def _call(call: Call) -> str:
    made = f" <span class='mut small'>{escape(call.id)}</span>" if call.id else ""
    written = call.written if isinstance(call.value, str) else _json(call.value)
    name = f"<span class='mut small'>calls</span> <code>{escape(call.name)}</code>{made}"
    return f"<div class='call'>{name}{_text(written, 'code')}</div>"


def _folded(summary: str, text: str, css: str = "code") -> str:
    return f"<details><summary>{escape(summary)}</summary><div class='text {css}'>{escape(text)}</div></details>"


def _tool_name(tool: Mapping[str, Any]) -> str:
    inner = tool.get("function")
    found = (inner if isinstance(inner, dict) else tool).get("name")
    return found if isinstance(found, str) else "a tool without a name"


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
