"""Format `stepwise`: `prompt`, `completions` and `labels` of TRL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    extended,
    labelled,
    named_as,
    rest,
    scored,
    source_of,
)
from tunixrt_core.ingest.formats.prompt_completion import prompt_of
from tunixrt_core.ingest.reasoning.marks.answer import boxed, hashes
from tunixrt_core.ingest.reasoning.steps import Span, stripped
from tunixrt_core.traces.metadata import rebuild_steps
from tunixrt_core.traces.scores import GivenScore, scores_in
from tunixrt_core.traces.trace import Trace, parse_steps
from tunixrt_core.util.kinds import kind_of

NAME = "stepwise"

_FIELDS = {
    "prompt": "prompt",
    "completions": "steps, final_answer",
    "labels": "step score",
    "source": "source",
    "model": "model",
}
# `# Answer`, a blank line, 42 (PRM800K); `The answer is: 18` (Math-Shepherd)
_HEADED = re.compile(r"^#+[ \t]*Answer(?=\s)", re.MULTILINE | re.IGNORECASE)
_SAID = re.compile(r"\banswer is:?[ \t]++(?=\S)", re.IGNORECASE)


def matches(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and isinstance(row.get("completions"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The answer is what the last step says it is; where it does not say so, the last step as a whole."""
    asked = prompt_of(row.get("prompt"), "prompt")
    contents = row.get("completions")
    if not isinstance(contents, list) or not contents or not all(isinstance(c, str) for c in contents):
        raise InvalidTrace(
            "completions", f"must be a list of at least one text, not {kind_of(contents)}. Write each step as one text"
        )
    if (metadata := export_metadata(row)) and (known := rebuild_steps(asked.prompt, metadata, steps=contents)):
        return [scored(labelled(known, options), scores_in(metadata))]
    answer, certain = last_answer(contents)
    extra = dict(asked.kept) | ({} if certain else {"answer_is_last_step": True})
    with named_as({"steps": "completions", "final_answer": f"completions[{len(contents) - 1}]", "system": "prompt"}):
        trace = Trace(
            prompt=asked.prompt,
            steps=parse_steps(contents),
            final_answer=answer,
            meta=extended(rest(row, _FIELDS), extra),
            system=asked.system,
            conversation=asked.conversation,
            source=source_of(row, options),
            model=row.get("model"),
        )
    return [scored(trace, _labels(row.get("labels"), len(contents)))]


def last_answer(contents: Sequence[str]) -> tuple[str, bool]:
    """The answer that the last step gives, and whether it says so: boxed, after ####, `# Answer`, `answer is`."""
    last = contents[-1]
    every = Span(0, len(last))
    if found := hashes(last, every):
        return last[slice(*found[1])], True
    if box := boxed(last, every):
        return last[slice(*box)], True
    if said := _said_answer(last.rstrip()):
        return said, True
    return last[slice(*stripped(last, *every))], False


def _said_answer(text: str) -> str:
    """What follows `# Answer`, or `answer is` in the last line without its full stop; empty where neither is there."""
    if headed := _HEADED.search(text):
        return text[headed.end() :].strip()
    if said := _SAID.search(text, text.rfind("\n") + 1):
        answer = text[said.end() :]
        return answer[:-1].rstrip(" \t") or answer if answer.endswith(".") else answer
    return ""


def _labels(labels: Any, steps: int) -> list[GivenScore]:
    if labels is None:
        return []
    if not isinstance(labels, list) or len(labels) != steps:
        raise InvalidTrace(
            "labels", f"must hold one label for each of the {steps} completions, not {_number(labels)}. Complete them"
        )
    for i, label in enumerate(labels):
        if label is not None and not isinstance(label, bool | int | float):
            raise InvalidTrace(f"labels[{i}]", f"must be true, false or a number, not {kind_of(label)}. Replace it")
    return [
        GivenScore(name="label", value=float(label), step=i, scorer="trl", version="given")
        for i, label in enumerate(labels)
        if label is not None
    ]


def _number(labels: Any) -> str:
    return str(len(labels)) if isinstance(labels, list) else kind_of(labels)
