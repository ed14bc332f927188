"""The known formats, and which of them a file is in, judged by its first rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.formats import gsm8k, prompt_completion, question_answer, trace, tunix_sft
from tunixrt_core.traces import Trace


class Format(Protocol):
    """What a format module offers."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a constant of the module

    def matches(self, row: dict[str, Any]) -> bool:
        """Whether the row's keys are this format's, even where its values are not usable."""

    def to_trace(self, row: dict[str, Any], source: str | None) -> Trace:
        """The trace of a row. Raises InvalidTrace, with the field named as the row names it."""


# In the order of detection: the more particular first.
_ALL: tuple[Format, ...] = (trace, tunix_sft, prompt_completion, gsm8k, question_answer)
FORMATS: dict[str, Format] = {module.NAME: module for module in _ALL}


def detect_format(first_rows: Sequence[dict[str, Any]]) -> str:
    """The name of the format that most of the rows are in. Raises UnreadableFile, naming the keys, if it is none."""
    votes = dict.fromkeys(FORMATS, 0)
    for row in first_rows:
        name = next((name for name, form in FORMATS.items() if form.matches(row)), None)
        if name is not None:
            votes[name] += 1
    best = max(votes, key=lambda name: votes[name])  # the first of equals: detection order
    if votes[best]:
        return best
    keys = ", ".join(sorted({str(key)[:40] for row in first_rows for key in row})[:20]) or "none"
    raise UnreadableFile(
        f"The format is not known. Keys seen: {keys}. Formats that can be read: {', '.join(FORMATS)} "
        "(docs/data-formats.md shows a row of each)."
    )


def format_named(name: str) -> Format:
    """The format of that name. Raises UnreadableFile, listing the known ones."""
    if name not in FORMATS:
        raise UnreadableFile(f"There is no format {name!r}. Use auto or one of: {', '.join(FORMATS)}.")
    return FORMATS[name]
