"""What columns of unusual names may be, by the look of their first values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tunixrt_core.ingest.report import Column

_SHORT = 40  # characters of a value that may be a final answer
_QUESTION = re.compile(r"[?？؟]\s*$")
_WORD = re.compile(r"[^\W\d_]{2,}")  # of any script


def guessed_fields(columns: Sequence[Column]) -> Mapping[str, str]:
    """Column -> prompt, final_answer or steps, of those that their names did not tell; each field at most once.

    The prompt is a column of questions, else the first of texts. The answer is, of the columns behind it, one of short
    values that differ and have few words; without any, the longest text, which may hold the reasoning too. The
    steps are the longest of the other texts. A guess, for a person to confirm.
    """
    taken = {field for column in columns for field in column.field.split(", ")}
    free = [column for column in columns if column.field in ("meta", "") and _has_plain_values(column)]
    found: dict[str, Column] = {}
    if "prompt" not in taken and (texts := list(filter(_is_text, free))):
        found["prompt"] = max(texts, key=_questions)
        free = free[free.index(found["prompt"]) + 1 :]
    elif "prompt" not in taken:
        return {}
    texts = list(filter(_is_text, free))
    if "final_answer" not in taken and (fitting := [column for column in free if _is_short(column)] or texts):
        found["final_answer"] = max(fitting, key=_like_an_answer)
    left = [column for column in texts if column not in found.values()]
    if "steps" not in taken and left:
        found["steps"] = max(left, key=_length)
    return {column.name: field for field, column in found.items()}


def _has_plain_values(column: Column) -> bool:
    return bool(column.samples) and not any(value.startswith(("{", "[")) for value in column.samples)


def _is_text(column: Column) -> bool:
    return any(len(_WORD.findall(value)) > 1 for value in column.samples)


def _is_short(column: Column) -> bool:
    return all(len(value) <= _SHORT for value in column.samples)


def _questions(column: Column) -> int:
    return sum(bool(_QUESTION.search(value)) for value in column.samples)


def _length(column: Column) -> int:
    return sum(map(len, column.samples))


def _like_an_answer(column: Column) -> tuple[int, int]:
    words = sum(len(_WORD.findall(value)) for value in column.samples)
    return len(column.samples), -words if _is_short(column) else words
