"""Format `gsm8k`, main and socratic: one step per line, result after `####`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, extended, named_as, rest, source_of, text
from tunixrt_core.ingest.reasoning.layout import KEY, between, frame_gaps, unframed
from tunixrt_core.ingest.reasoning.steps import Span, stripped
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, Step, Trace

NAME = "gsm8k"
QUESTION = "question"  # type of a step that asks the next question, in the socratic form

_CALCULATOR = re.compile(r"<<([^<>\n]*)>>")
_ASKS = "**"  # between a question and its step, in the socratic form
_HASHES = re.compile(r"^[^\S\n]*####", re.MULTILINE)
_FIELDS = {"question": "prompt", "answer": "steps, final_answer, reference_answer", "source": "source"}
_NAMES = {"prompt": "question", "steps": "answer", "final_answer": "answer", "reference_answer": "answer"}


def matches(row: Mapping[str, Any]) -> bool:
    return "question" in row and isinstance(row.get("answer"), str) and bool(_HASHES.search(row["answer"]))


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Steps are the non-blank lines before `####`, without `<<48/2=24>>`; what follows it is answer and reference.

    A socratic line `question ** step` is two steps. The calculator marks are kept in `meta.splitting.marks`.
    """
    question, answer = text(row, "question"), text(row, "answer")
    end = answer.rfind("####")
    if end < 0:
        raise InvalidTrace(
            "answer", "has no `####` before the final answer. Add it, or choose the format question_answer"
        )
    result = stripped(answer, end + 4, len(answer))
    lines = list(_lines(answer, end))
    socratic = bool(lines) and all(answer.find(_ASKS, *line) >= 0 for line in lines)
    spans = [span for line in lines for span in _halves(answer, line)] if socratic else lines
    steps, marks = _without_marks([answer[slice(*span)] for span in spans], socratic)
    line = answer.rfind("\n", 0, end) + 1
    before = unframed(answer, 0, end if answer[line:end].strip() else line, tail=1)
    said: dict[str, Any] = {"rule": f"hashes/{'socratic' if socratic else 'lines'}", "sure": "high"}
    if odd := frame_gaps("hashes", answer, before, result, len(spans)):
        said["gaps"] = odd
    if marks:
        said["marks"] = marks
    with named_as(_NAMES):
        trace = Trace(
            prompt=question,
            steps=steps,
            final_answer=answer[slice(*result)],
            reference_answer=answer[slice(*result)],
            meta=extended(rest(row, _FIELDS), {KEY: said}),
            layout=Layout(tuple(_CALCULATOR.sub("", gap) for gap in between(answer, [(before, spans)]))),
            source=source_of(row, options, NAME),
        )
    return [trace]


def _lines(answer: str, end: int) -> Iterator[Span]:
    at = 0
    while at < end:
        until = answer.find("\n", at, end)
        line = stripped(answer, at, end if until < 0 else until)
        # a line of nothing but marks has nothing left to be a step
        if _CALCULATOR.sub("", answer[slice(*line)]).strip():
            yield line
        at = end if until < 0 else until + 1


def _halves(answer: str, line: Span) -> list[Span]:
    mark = answer.index(_ASKS, *line)
    asked, told = stripped(answer, line.start, mark), stripped(answer, mark + len(_ASKS), line.end)
    return [span for span in (asked, told) if span.start < span.end]


def _without_marks(contents: Sequence[str], socratic: bool) -> tuple[tuple[Step, ...], list[list[Any]]]:
    """The steps, and each mark as `[step, offset in the step, inside]`."""
    steps, marks = [], []
    for i, content in enumerate(contents):
        kept, at = "", 0
        for mark in _CALCULATOR.finditer(content):
            kept += content[at : mark.start()]
            marks.append([i, len(kept), mark[1]])
            at = mark.end()
        kind = QUESTION if socratic and i % 2 == 0 else DEFAULT_STEP_TYPE
        steps.append(Step(i, kept + content[at:], kind))
    return tuple(steps), marks
