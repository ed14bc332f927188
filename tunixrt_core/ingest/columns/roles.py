"""Roles of the columns of a question with its answer, told by their usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tunixrt_core.ingest.columns.names import (
    ANSWERS,
    COMPLETIONS,
    LISTS_OF_COMPLETIONS,
    QUESTIONS,
    REASONINGS,
    REFERENCES,
)

_NUMBERED = re.compile(rf"(?:{'|'.join(COMPLETIONS)})_\d+")
_SHORT = ("final_answer", "answer", "target", "solution")  # a reference beside what a model wrote, else the answer
_WORKED = re.compile(r"</?think|</?reasoning|^[^\S\n]*####", re.MULTILINE)


class Roles(NamedTuple):
    """What the columns of a row are. `completions` hold reasoning and answer, `answer` the answer alone."""

    question: str | None
    answer: str | None
    reasoning: str | None
    reference: str | None
    completions: tuple[str, ...] = ()


def roles_of(row: Mapping[str, Any]) -> Roles:
    """The roles of a row's columns, of which each may be missing."""
    names = _present(tuple(row))
    question = _first(row, names.questions)
    if question in (None, "task") and _is_text(row.get("source")) and row.get("target") is not None:
        question = "source"  # of a pair of source and target, where `task` is the name of one
    given = _first(row, names.references, question)
    completions = _completions(row, names, question)
    others = [name for name in names.short if row[name] is not None and name not in completions]
    if completions and (others or given or completions[0] not in ANSWERS) and not _is_worked(row, others, completions):
        reasoning = _first(row, names.reasonings, question, "solution", *completions)
        return Roles(question, None, reasoning, given or next(iter(others), None), completions)
    answer = _first(row, names.answers, question) or given
    return Roles(question, answer, _first(row, names.reasonings, question, answer), given)


class _Names(NamedTuple):
    """The usual names of each kind that a row has, in the order of preference."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]
    short: tuple[str, ...]
    references: tuple[str, ...]
    completions: tuple[str, ...]
    numbered: tuple[str, ...]
    lists: tuple[str, ...]
    reasonings: tuple[str, ...]


@lru_cache(maxsize=1_000)
def _present(keys: tuple[str, ...]) -> _Names:
    def of(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in keys)

    return _Names(
        of(QUESTIONS),
        of(ANSWERS),
        of(_SHORT),
        tuple(name for name in of(REFERENCES) if name not in _SHORT),
        of(COMPLETIONS),
        tuple(name for name in keys if _NUMBERED.fullmatch(name)),
        of(LISTS_OF_COMPLETIONS),
        of(REASONINGS),
    )


def _completions(row: Mapping[str, Any], names: _Names, question: str | None) -> tuple[str, ...]:
    """The columns that hold what a model wrote: the first usual name with a text, or one name with numbers."""
    for name in names.completions:
        if name != question and _is_written(row[name]):
            return (name,)
    if numbered := tuple(name for name in names.numbered if _is_written(row[name])):
        return numbered
    return next(((name,) for name in names.lists if isinstance(row[name], list)), ())


def _is_worked(row: Mapping[str, Any], answers: Sequence[str], completions: Sequence[str]) -> bool:
    """Whether the column of answers holds the reasoning, and the other one does not."""
    held, written = (str(row[names[0]]) if names else "" for names in (answers, completions))
    return bool(_WORKED.search(held)) and not _WORKED.search(written) and len(held) > len(written)


def _is_written(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) for item in value)
    return _is_text(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _first(row: Mapping[str, Any], names: Sequence[str], *taken: str | None) -> str | None:
    """The first name with a value that is not taken."""
    return next((name for name in names if row[name] is not None and name not in taken), None)
