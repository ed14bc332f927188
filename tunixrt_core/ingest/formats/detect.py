"""Known formats, and detection of a file's format from its first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.formats import (
    alpaca,
    asked_chat,
    atif,
    bfcl,
    chat_text,
    chatgpt,
    grpo,
    gsm8k,
    harmony,
    inspect_log,
    langfuse,
    llm_calls,
    messages,
    nectar,
    oasst,
    openmathreasoning,
    openr1_math,
    openthoughts,
    otel,
    preference,
    prm800k,
    prompt_completion,
    question_answer,
    s1k,
    sharegpt,
    stepwise,
    toolace,
    trace,
    tunix_sft,
    ultrafeedback,
    verifiers,
)
from tunixrt_core.ingest.formats.fields import Item, Options
from tunixrt_core.ingest.reasoning.steps import Sure


class Format(Protocol):
    """What a format module offers."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a constant of the module

    def matches(self, row: dict[str, Any]) -> bool:
        """Whether the row's keys are this format's, even where its values are not usable."""

    def columns(self, row: dict[str, Any]) -> Mapping[str, str]:
        """The columns that the format knows: column -> field. Others are kept under `meta`."""

    def read(self, row: dict[str, Any], options: Options) -> list[Item]:
        """The traces of a row, each with the scores it gives; a fault in place of a trace that it does not give.

        Raises InvalidTrace, with the field named as the row names it, where the row gives nothing.
        """


class Detected(NamedTuple):
    """The format of a file, how sure that is, and why."""

    format: str
    sure: Sure
    why: str


# In the order of detection: the more particular first.
_ALL: tuple[Format, ...] = (
    trace,
    tunix_sft,
    atif,
    inspect_log,
    otel,
    langfuse,
    llm_calls,
    verifiers,
    chatgpt,
    oasst,
    harmony,
    chat_text,
    prm800k,
    openr1_math,
    openthoughts,
    openmathreasoning,
    s1k,
    stepwise,
    preference,
    ultrafeedback,
    nectar,
    grpo,
    prompt_completion,
    asked_chat,
    toolace,
    sharegpt,
    messages,
    alpaca,
    gsm8k,
    bfcl,
    question_answer,
)
FORMATS: dict[str, Format] = {module.NAME: module for module in _ALL}


def detect_format(first_rows: Sequence[dict[str, Any]]) -> Detected:
    """The format that most of the rows are in. Raises UnreadableFile, naming the keys, if it is none."""
    votes = dict.fromkeys(FORMATS, 0)
    for row in first_rows:
        name = next((name for name, form in FORMATS.items() if form.matches(row)), None)
        if name is not None:
            votes[name] += 1
    best = max(votes, key=lambda name: votes[name])  # the first of equals: detection order
    if votes[best]:
        return _judged(best, votes[best], len(first_rows))
    keys = ", ".join(sorted({str(key)[:40] for row in first_rows for key in row})[:20]) or "none"
    raise UnreadableFile(
        f"The format is not known. Keys seen: {keys}. Formats that can be read: {', '.join(FORMATS)} "
        "(docs/reference/data-formats.md shows a row of each). Or say which column is what: --map prompt=COLUMN "
        "--map final_answer=COLUMN."
    )


def format_named(name: str) -> Format:
    """The format of that name. Raises UnreadableFile, listing the known ones."""
    if name not in FORMATS:
        raise UnreadableFile(f"There is no format {name!r}. Use auto or one of: {', '.join(FORMATS)}.")
    return FORMATS[name]


def _judged(best: str, votes: int, rows: int) -> Detected:
    share = votes / rows
    why = f"{votes} of the first {rows} rows have its keys"
    if best == question_answer.NAME:  # by common names alone
        return Detected(best, "medium" if share > 0.9 else "low", f"{why}, which are common names")
    return Detected(best, "high" if share > 0.9 else "medium" if share > 0.5 else "low", why)
