"""Text of a script: template lines chosen by flags, Python values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WIDTH = 88  # of a line, which is ruff's own


class Code(str):
    """Text that is put into the script unchanged; other values are put in as literals."""


def fill_template(template: str, flags: Mapping[str, str], values: Mapping[str, str]) -> str:
    """`#: if FLAG [VALUE]`, `#: if not FLAG`, `#: else` and `#: end` choose lines; `{{name}}` inserts a value."""
    chosen: list[str] = []
    stack: list[bool] = []
    for line in template.splitlines():
        if not line.startswith("#: "):
            if all(stack):
                chosen.append(line)
            continue
        word, *condition = line.split()[1:]
        if word == "if":
            stack.append(_holds(condition, flags))
        elif word == "else":
            stack[-1] = not stack[-1]
        else:
            stack.pop()
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], "\n".join(chosen) + "\n")


def _holds(condition: list[str], flags: Mapping[str, str]) -> bool:
    if condition[0] == "not":
        return not flags.get(condition[1])
    value = flags.get(condition[0], "")
    return bool(value) if len(condition) == 1 else value == condition[1]


def literal(value: Any) -> str:
    """The value in Python, with strings quoted as ruff would."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        text = repr(value + "'\"")[1:-1].replace("\\'", "'").removesuffix("'\"")
        if value.count('"') > value.count("'"):
            return "'" + text.replace("'", "\\'") + "'"
        return '"' + text.replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    return repr(value)


def assignment(name: str, value: Any) -> str:
    """`name = value`, over three lines where one line would be too long."""
    text = literal(value)
    line = f"{name} = {text}"
    return f"{name} = (\n    {text}\n)" if len(line) > _WIDTH >= len(text) + 4 else line
