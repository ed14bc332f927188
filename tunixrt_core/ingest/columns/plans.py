"""Plans to arrange rows with certain columns, and rows arranged by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple, Protocol

from tunixrt_core.ingest.columns.choices import choice_columns
from tunixrt_core.ingest.columns.names import ANSWERS, CHATS, CONTEXTS, KEYS_OF_CHOICES, REFERENCES, STRUCTURED, renamed


class Form(Protocol):
    """What is needed of a format here."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a constant of the module

    def columns(self, row: dict[str, Any]) -> Mapping[str, str]: ...


class Arranged(NamedTuple):
    """A row as a format reads it. `names` leads from its own spelling to the file's, where they differ."""

    row: dict[str, Any]
    names: Mapping[str, str] = {}
    reference: str | None = None
    prompt_from: Mapping[str, int] | None = None
    used: Mapping[str, str] = {}  # column -> the field of the trace that it went into


class Plan(NamedTuple):
    """What there may be to do for rows with certain keys, judged by the names alone."""

    names: Mapping[str, str]  # usual name -> the file's
    structured: tuple[str, ...]
    chats: tuple[str, ...]
    contexts: tuple[str, ...]
    choices: tuple[str, ...]
    references: tuple[str, ...]
    of_references: bool  # and nothing else


# where these are, no other column is the chat; `turns` of a trace as we write it are those behind its prompt
_NO_CHATS = {"messages", "conversations", "trace_version"}


def plan_of(keys: Sequence[str]) -> Plan:
    by_file = renamed(keys)
    names = [by_file.get(name, name) for name in keys]
    found = set(names)
    choices = choice_columns(names)
    if choices and found.isdisjoint(ANSWERS):
        key = next((name for name in KEYS_OF_CHOICES if name in found), None)
        if key is not None:  # a column that says which choice is right is the answer
            by_file[keys[names.index(key)]] = "answer"
            found = found - {key} | {"answer"}
    plan = Plan(
        names={usual: name for name, usual in by_file.items()},
        structured=tuple(name for name in STRUCTURED if name in found),
        chats=() if found & _NO_CHATS else tuple(name for name in CHATS if name in found),
        contexts=tuple(name for name in _contexts_of(found) if name in found),
        choices=choices,
        references=tuple(name for name in REFERENCES if name in found),
        of_references=False,
    )
    return plan._replace(of_references=bool(plan.references) and not any(plan[:-2]))


def _contexts_of(names: Set[str]) -> tuple[str, ...]:
    """An instruction is one too where something else is the question."""
    return ("instruction", *CONTEXTS) if names & {"question", "problem", "query", "prompt"} else CONTEXTS
