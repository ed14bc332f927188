"""Tool calls in what a model wrote, in the forms of the families."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from tunixrt_core.traces.conversation import Call, read_arguments
from tunixrt_core.traces.rendering.families.gemma_tools import read_gemma_calls
from tunixrt_core.util.hashing import check_json

_OPENER, _CLOSER = "<tool_call>", "</tool_call>"
_SPACE = re.compile(r"\s*")
_KEYS = {"name", "arguments", "parameters", "type"}


def read_calls(text: str) -> tuple[str, tuple[Call, ...]]:
    """What a text says before the calls that it ends with, and these: each in `<tool_call>`, or nothing but calls as
    JSON objects, or as Gemma 4 writes them. The whole text and no call where any of them cannot be read.
    """
    if "{" not in text:
        return text, ()
    if "<|tool_call>" in text:
        return read_gemma_calls(text) or (text, ())
    begins = text.find(_OPENER)
    if begins >= 0 and (blocks := _blocks(text, begins)):
        return _found(text, text[:begins].rstrip(), blocks)
    if text.strip().endswith("}"):
        return _found(text, "", [text.strip()]) if _json(text) is not None else _found(text, "", text.split("\n"))
    return text, ()


def _blocks(text: str, at: int) -> list[str]:
    """What is in the blocks that are all of a text from `at` on; nothing where there is more."""
    found: list[str] = []
    while at < len(text):
        end = text.find(_CLOSER, at)
        if end < 0 or not text.startswith(_OPENER, at):
            return []
        found.append(text[at + len(_OPENER) : end].strip())
        space = _SPACE.match(text, end + len(_CLOSER))
        at = space.end() if space else len(text)
    return found


def _found(text: str, said: str, written: list[str]) -> tuple[str, tuple[Call, ...]]:
    calls = [_call(_json(each)) for each in written if each.strip()]
    return (said, tuple(call for call in calls if call)) if all(calls) else (text, ())


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _call(value: Any) -> Call | None:
    """`{"name", "arguments"}`, as Llama writes it with `parameters`; None for what is no call."""
    if not isinstance(value, Mapping) or not set(value) <= _KEYS or ("arguments" in value) == ("parameters" in value):
        return None
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters"))
    if not isinstance(name, str) or not name.strip() or not isinstance(arguments, Mapping | str):
        return None
    try:
        check_json(arguments, "arguments")
    except ValueError:
        return None
    return Call(name, read_arguments(arguments))
