"""Verdicts of a row on its traces: labels, weights, verifications, pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item
from tunixrt_core.traces.scores import PREFERRED, GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Trace

PAIR_SCORER = "preference"  # of the score `preferred` on both sides of a row's pair

_WORDS = (
    dict.fromkeys(("true", "yes", "pass", "passed", "correct", "right", "accepted", "valid", "good"), 1.0)
    | dict.fromkeys(("false", "no", "fail", "failed", "incorrect", "wrong", "rejected", "invalid", "bad"), 0.0)
    | {"chosen": 1.0, "desirable": 1.0, "undesirable": 0.0}
)  # fmt: skip


def _truth(value: Any) -> float | None:
    """Of true and false, also as text."""
    if isinstance(value, bool):
        return float(value)
    return {"true": 1.0, "false": 0.0}.get(value.strip().lower()) if isinstance(value, str) else None


def _verdict(value: Any) -> float | None:
    """Of true and false, of 1 and 0, or of a word such as `passed` or `incorrect`."""
    if isinstance(value, int | float) and value in (0, 1):
        return float(value)
    return _WORDS.get(value.strip().lower()) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    """Of a number, also as text: CSV knows nothing else."""
    try:
        found = float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < float("inf") else None


def _flag(value: Any) -> float | None:
    return float(value) if isinstance(value, bool) else None


def _kept(value: Any) -> float | None:
    """Of a mark that leaves a message out."""
    return float(not value) if isinstance(value, bool) else None


Reading = Callable[[Any], float | None]
# column -> name of the score, and how its value is read. The column is the scorer; `label` is TRL's.
_COLUMNS: Mapping[str, tuple[str, Reading]] = (
    {"label": ("label", _flag)}
    | dict.fromkeys(("kto_tag", "kto_label", "desirable", "is_desirable"), ("label", _verdict))
    | dict.fromkeys(("weight", "loss_weight", "sample_weight", "example_weight"), ("weight", _number))
    # `correct` alone is often the right answer, or its place among the choices
    | {"correct": ("correct", _truth)}
    | dict.fromkeys(
        (
            "verdict", "is_correct", "answer_correct", "final_answer_correct", "answer_is_correct", "solution_is_valid",
            "problem_is_valid", "is_valid", "verified", "is_verified", "passed", "is_passed", "success", "is_success",
            "accepted", "is_accepted", "resolved", "is_resolved",
        ),
        ("correct", _verdict),
    )
)  # fmt: skip
# of the message that is the answer; those of other messages say nothing about it
_IN_MESSAGE: Mapping[str, Reading] = (
    dict.fromkeys(("weight", "loss_weight", "loss_mask"), _number)
    | dict.fromkeys(("train", "training", "trainable", "loss"), _flag)
    | dict.fromkeys(("masked", "mask"), _kept)
)
# Where `label` can be nothing but the verdict on a completion, 1 and 0 and their words are read too.
_LABELLED = frozenset({"prompt_completion", "messages", "sharegpt"})
_MARKS = frozenset({*_COLUMNS, "message_keys"})


def judged(items: Iterable[Item], form: str) -> list[Item]:
    """The items of a row in that format as they are to be stored, with the verdicts that its other columns give, which
    stay in `meta`; the two sides of a pair with the hash of each other.
    """
    return _paired([item if isinstance(item, InvalidTrace) else _judged(item, form) for item in items])


def _paired(items: list[Item]) -> list[Item]:
    if len(items) != 2:
        return items
    sides = [item for item in items if isinstance(item, ScoredTrace) and any(map(_is_side, item.scores))]
    if len(sides) != 2:
        return items
    one, other = sides
    return [_against(one, other.trace.content_hash), _against(other, one.trace.content_hash)]


def _is_side(score: GivenScore) -> bool:
    return score.name == PREFERRED and score.scorer == PAIR_SCORER and score.against is None


def _against(side: ScoredTrace, other: str) -> ScoredTrace:
    scores = (replace(score, against=other) if _is_side(score) else score for score in side.scores)
    return ScoredTrace(side.trace, tuple(scores))


def has_verdict(trace: Trace) -> bool:
    """Whether a column of the trace's `meta` could be a verdict. Quick: it is asked of every row."""
    return not _MARKS.isdisjoint(trace.meta)


def _judged(item: Trace | ScoredTrace, form: str) -> Trace | ScoredTrace:
    trace, known = (item, ()) if isinstance(item, Trace) else (item.trace, item.scores)
    if not has_verdict(trace):
        return item
    given = {(score.name, score.scorer) for score in known}
    found = [score for score in _verdicts(trace.meta, form) if (score.name, score.scorer) not in given]
    return ScoredTrace(trace, (*known, *found)) if found else item


def _verdicts(meta: Mapping[str, Any], form: str) -> Iterator[GivenScore]:
    for column, (name, reading) in _COLUMNS.items():
        if column in meta:
            reads = _verdict if column == "label" and form in _LABELLED else reading
            yield from _score(name, column, reads(meta[column]))
    own = meta.get("message_keys")
    answer = own.get("answer") if isinstance(own, Mapping) else None
    if isinstance(answer, Mapping):
        for key, reading in _IN_MESSAGE.items():
            yield from _score("weight", f"message {key}", reading(answer.get(key)))


def _score(name: str, column: str, value: float | None) -> Iterator[GivenScore]:
    if value is not None:
        yield GivenScore(name=name, value=value, scorer="trl" if column == "label" else column, version="given")
