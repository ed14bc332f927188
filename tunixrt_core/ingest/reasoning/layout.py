"""What stood around steps and answer in the text they were cut from, so small that it fits into every trace's `meta`.

A text is gaps and pieces in turn: gap, step, gap, step, ..., gap, answer, gap. A rule has gaps that are usual for it;
only what differs from them is kept. `rebuild` puts the text together again, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.ingest.reasoning.steps import Span
from tunixrt_core.traces.trace import Trace

KEY = "splitting"  # under `meta`; `split` is a column that many files have

# rule -> what usually stands before the reasoning, between reasoning and answer, after the answer
ENVELOPES: Mapping[str, tuple[str, str, str]] = {
    "tags": ("<reasoning>\n", "\n</reasoning>\n<answer>", "</answer>"),
    "thought": (
        "<|begin_of_thought|>\n\n",
        "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
        "\n\n<|end_of_solution|>",
    ),
    "channel": ("<|channel>thought\n", "\n<channel|>", ""),
    "think": ("<think>\n", "\n</think>\n\n", ""),
    "unopened": ("", "\n</think>\n\n", ""),
    "hashes": ("", "\n#### ", ""),
    "boxed": ("", "", ""),
    "last": ("", "\n", ""),
    "whole": ("", "", ""),
    "apart": ("", "", ""),
}
USUAL_MARK = "{n}. "  # before the items of a numbered list
_SEPARATORS = {"paragraphs": "\n\n", "lines": "\n", "numbered": "\n", "socratic": "\n", "none": ""}


def describe(text: str, spans: Sequence[Span], answer: Span, layout: Mapping[str, Any]) -> dict[str, Any]:
    """The layout with the separator and the gaps that differ from its rule's usual ones.

    `layout` holds `rule` (`think/lines`) and where they apply `mark`, `from`, `solution`, `inside`, as `Split` says.
    """
    out = dict(layout)
    pieces = [*spans] if out.get("inside") else [*spans, answer]
    at, gaps = 0, []
    for piece in pieces:
        gaps.append(text[at : piece.start])
        at = piece.end
    gaps.append(text[at:])
    if common := _common_separator(out, gaps, len(spans)):
        out["sep"] = common
    usual = list(_usual_gaps(out, len(spans)))
    if odd := {str(i): gap for i, gap in enumerate(gaps) if gap != usual[i]}:
        out["gaps"] = odd
    return out


def rebuild(layout: Mapping[str, Any], steps: Sequence[str], final_answer: str) -> str:
    """The text that was cut into these steps and this answer."""
    pieces = [_with_marks(i, step, layout.get("marks", ())) for i, step in enumerate(steps)]
    if not layout.get("inside"):
        pieces.append(final_answer)
    odd = layout.get("gaps", {})
    gaps = [odd.get(str(i), gap) for i, gap in enumerate(_usual_gaps(layout, len(steps)))]
    parts = [part for pair in zip(gaps, pieces, strict=False) for part in pair]
    return "".join([*parts, gaps[-1]])


def original_texts(trace: Trace) -> tuple[str, ...] | None:
    """The text or texts (reasoning and content, where they came apart) that a trace was split from; None if it was not.

    An edited trace gives its own words in the old places.
    """
    layout = next((v for k, v in trace.meta.items() if k.startswith(KEY) and isinstance(v, dict) and "rule" in v), None)
    if layout is None:
        return None
    text = rebuild(layout, [step.content for step in trace.steps], trace.final_answer)
    cut = layout.get("cut")
    return (text,) if cut is None else (text[:cut], text[cut:])


def _usual_gaps(layout: Mapping[str, Any], steps: int) -> Iterator[str]:
    envelope, _, rule = layout["rule"].partition("/")
    head, middle, tail = ENVELOPES[envelope]
    reasoning = steps - layout.get("solution", 0)
    separator = layout.get("sep", _SEPARATORS[rule])
    for i in range(steps):
        if i >= reasoning:
            yield "" if i > reasoning else middle if i else head + middle
        else:
            before = head if i == 0 else " ** " if rule == "socratic" and i % 2 else separator
            yield before + _mark(layout, i)
    if not layout.get("inside"):
        yield "" if layout.get("solution") else middle if steps else head + middle
    yield tail


def _mark(layout: Mapping[str, Any], i: int) -> str:
    number = i + 1 - layout.get("from", 0)
    if number <= 0 or not layout["rule"].endswith("/numbered"):
        return ""
    return str(layout.get("mark", USUAL_MARK)).replace("{n}", str(number))


def _common_separator(layout: Mapping[str, Any], gaps: Sequence[str], steps: int) -> str:
    rule = layout["rule"].partition("/")[2]
    between = gaps[1 : steps - layout.get("solution", 0)]
    if rule in ("numbered", "socratic", "none") or not between:
        return ""
    found = Counter(between).most_common(1)[0][0]
    return "" if found == _SEPARATORS[rule] else found


def _with_marks(i: int, step: str, marks: Sequence[Sequence[Any]]) -> str:
    """The step with the calculator marks that were taken out of it, each `[step, offset, inside]`."""
    out, at = [], 0
    for _, offset, inside in (mark for mark in marks if mark[0] == i):
        out += [step[at:offset], f"<<{inside}>>"]
        at = offset
    return "".join([*out, step[at:]])
