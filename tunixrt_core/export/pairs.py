"""Preference rows: a chosen and a rejected trace of one prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.export.shapes import NO_TEXT, Data, LeftOut, Scores, mean_score, with_tools
from tunixrt_core.traces.answers.comparison import compare
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.chat_messages import asked, final_turn, is_conversation, later_turns, said_beside_calls
from tunixrt_core.traces.layout import layout_data
from tunixrt_core.traces.metadata import rendered_metadata
from tunixrt_core.traces.rendering.styles import render_completion
from tunixrt_core.traces.rows import json_text
from tunixrt_core.traces.scores import PREFERRED, GivenScore, is_negative


@dataclass(frozen=True, slots=True)
class Judged:
    """A trace and what is known of its worth: the answer against the reference, whether it is a negative example, and
    the mean of its own scores.
    """

    entry: Entry
    data: Data
    scores: Scores
    correct: bool | None
    score: float | None
    negative: bool


# the trace of a hash where the version does not hold it; None where it is not stored any more
OtherSide = Callable[[str], Judged | None]


def judge(entry: Entry, data: Data, scores: Scores) -> Judged:
    reference = data.get("reference_answer")
    correct = None if reference is None else _CORRECT[compare(reference, data["final_answer"])]
    whole = [score for score in scores if score.step is None]
    return Judged(entry, data, whole, correct, mean_score(whole) if whole else None, is_negative(whole))


_CORRECT = {Verdict.SAME: True, Verdict.DIFFERENT: False, Verdict.UNKNOWN: None}


def pair(group: Sequence[Judged], other_side: OtherSide) -> Iterator[tuple[Judged, Judged]]:
    """(better, worse) traces of one prompt: first the pairs of files, then those made of what is in no such pair."""
    alone = [one for one in group if not any(map(_compares, one.scores))]
    held = {one.entry.hash: one for one in group}
    for one in group:
        for score in one.scores:
            if _compares(score) and score.value > 0 and score.against is not None:
                other = held.get(score.against) or other_side(score.against)
                if other is not None:
                    yield one, other
    yield from _made(alone)


def _compares(score: GivenScore) -> bool:
    return score.name == PREFERRED and score.against is not None


def _made(group: Sequence[Judged]) -> Iterator[tuple[Judged, Judged]]:
    """Disjoint pairs by verdict and score. Right answers are paired with wrong ones; where a group has not both, the
    highest score with the lowest, the second highest with the second lowest, and so on. A negative example is never
    the better one.
    """
    right = sorted((one for one in group if one.correct and not one.negative), key=_best_first)
    wrong = sorted((one for one in group if one.correct is False or one.negative), key=_best_first)
    if right and wrong:
        yield from zip(right, reversed(wrong), strict=False)
        return
    scored = sorted((one for one in group if one.score is not None), key=_best_first)
    for better, worse in zip(scored[: len(scored) // 2], reversed(scored), strict=False):
        if _score(better) > _score(worse) and not better.negative:
            yield better, worse


def preference(better: Judged, worse: Judged, options: ExportOptions) -> dict[str, Any] | LeftOut:
    """The row of a pair. Its metadata holds that of both.

    Turns behind the prompt are part of it as far as both sides begin with the same ones. Those in which the sides
    differ come before the final turn of each.
    """
    sides = {"chosen": better, "rejected": worse}
    steps = {side: [step["content"] for step in one.data["steps"]] for side, one in sides.items()}
    said: dict[str, Any] = {
        side: render_completion(steps[side], said_beside_calls(one.data), options.style, layout_data(one.data))
        for side, one in sides.items()
    }
    row: dict[str, Any] = {"prompt": better.data["prompt"], **said}
    if options.turns == "messages":
        turns = {side: later_turns(one.data) for side, one in sides.items()}
        same = _shared(turns["chosen"], turns["rejected"])
        row = {"prompt": [*asked(better.data), *turns["chosen"][:same]]}
        row |= {side: [*turns[side][same:], final_turn(said[side], one.data)] for side, one in sides.items()}
        row = with_tools(row, better.data)
    elif any(is_conversation(one.data) for one in sides.values()):
        return NO_TEXT
    if better.entry.split is not None:
        row["split"] = better.entry.split
    metadata = {
        side: rendered_metadata(one.data, one.entry.hash, steps[side], style=options.style, scores=one.scores)
        for side, one in sides.items()
    }
    row["metadata"] = json_text(metadata)
    return row


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """With how many equal turns both begin."""
    differing = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differing, min(len(one), len(other)))


def _score(one: Judged) -> float:
    return float("-inf") if one.score is None else one.score


def _best_first(one: Judged) -> tuple[float, str]:
    return -_score(one), one.entry.hash
