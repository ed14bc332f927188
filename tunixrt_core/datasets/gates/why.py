"""Reason of a finding: the matched words, or the differing pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Indel

from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import part, whole_text
from tunixrt_core.traces.trace import Trace

_AROUND = 60  # characters of context at either side of a stretch
_MOST_WORDS = 5_000  # of a text that is compared word by word

_REASONS = {
    "wrong": "The answer is not the reference.",
    "unparsable": "The answer or the reference cannot be read as text that is equal, as a number, or by math-verify.",
    "timeout": "math-verify did not come to an end and was killed.",
    "memory": "math-verify wanted more memory than it may have and was killed.",
    "crash": "math-verify crashed on this row.",
    "missing": "The answer is in no step.",
    "empty": "There is no reasoning to learn from.",
    "looping": "{value:.0%} of the n-grams of the reasoning were there before.",
    "compressible": "The reasoning shrinks to {value:.0%} of its size: it repeats itself.",
    "unclosed": "A tag is opened and never closed.",
    "orphan": "A tag closes what was never opened.",
    "control_token": "The text contains a control token.",
    "empty_user": "A turn of the user is empty.",
    "order": "The roles are out of order: two users in a row, the assistant first, or a tool without a call.",
    "no_result": "A tool call has no result.",
    "no_call": "The result of a tool answers no call.",
    "old_import": "Turns of the conversation are kept in meta only, by an earlier version. Import the file again.",
    "too_long": "The row is {value:,} long.",
    "duplicate": "The same as another row.",
    "near_duplicate": "{jaccard:.0%} of the word n-grams are those of another row.",
    "overlap_split": "{words} words in a row are those of an eval prompt of this version.",
    "overlap_file": "{words} words in a row are those of a prompt in the eval file.",
}


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding with the traces it is about, as far as they are still there.

    `before`, `span` and `after` are the stretch with its surroundings, empty where the finding is about no stretch;
    `differs` is the pair word by word, `[-gone-]{+come+}`.
    """

    position: int
    finding: Finding
    trace: Trace | None
    other: Trace | None
    words: str
    before: str = ""
    span: str = ""
    after: str = ""
    differs: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "id": self.finding.hash,
            "reason": self.finding.reason,
            "words": self.words,
            "detail": dict(self.finding.detail),
            "prompt": self.trace.prompt if self.trace else None,
            "span": self.span or None,
            "differs": self.differs or None,
        }


def view(position: int, finding: Finding, trace: Trace | None, other: Trace | None) -> FindingView:
    """Put a finding and its traces together. `trace` or `other` is None where it was deleted."""
    said = _REASONS.get(finding.reason, finding.reason).format(**finding.detail)
    if trace is None:
        return FindingView(position, finding, None, other, f"{said} The trace was deleted since.")
    if finding.reason in ("wrong", "unparsable"):
        said = f"{said} Answer {_short(trace.final_answer)}, reference {_short(trace.reference_answer or '')}."
    before, span, after = _stretch(trace, finding)
    differs = snippet(whole_text(other), whole_text(trace)) if other is not None else ""
    return FindingView(position, finding, trace, other, said, before, span, after, differs)


def snippet(a: str, b: str, around: int = 4, most: int = 400) -> str:
    """Where two texts differ, word by word with some words around: `sold [-48-]{+52+} clips`.

    Longer texts than 5,000 words are compared in their first 5,000.
    """
    first, second = a.split()[:_MOST_WORDS], b.split()[:_MOST_WORDS]
    parts = list(_differences(first, second, around))
    text = " ".join(parts) if parts else "the same words"
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _differences(a: list[str], b: list[str], around: int) -> Iterator[str]:
    gone: list[str] = []
    come: list[str] = []
    for code in Indel.opcodes(a, b):
        if code.tag == "equal":
            yield from _change(gone, come)
            gone, come = [], []
            words = a[code.src_start : code.src_end]
            yield _equal(words, around, at_start=code.src_start == 0, at_end=code.src_end == len(a))
        gone += a[code.src_start : code.src_end] if code.tag == "delete" else []
        come += b[code.dest_start : code.dest_end] if code.tag == "insert" else []
    yield from _change(gone, come)


def _change(gone: list[str], come: list[str]) -> Iterator[str]:
    if gone or come:
        yield (f"[-{' '.join(gone)}-]" if gone else "") + (f"{{+{' '.join(come)}+}}" if come else "")


def _equal(words: list[str], around: int, *, at_start: bool, at_end: bool) -> str:
    if len(words) <= 2 * around:
        return " ".join(words)
    head = [] if at_start else words[:around]
    tail = [] if at_end else words[-around:]
    return " ".join([*head, "…", *tail])


def _stretch(trace: Trace, finding: Finding) -> tuple[str, str, str]:
    detail = finding.detail
    if "start" not in detail:
        return "", "", ""
    text, start, end = part(trace, detail["field"]), detail["start"], detail["end"]
    return text[max(0, start - _AROUND) : start], text[start:end], text[end : end + _AROUND]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 60 else flat[:59] + "…")
