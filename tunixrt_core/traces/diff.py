"""Differences of two traces: aligned steps and differing words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rapidfuzz.distance import Indel

from tunixrt_core.traces.trace import Step, Trace

Pair = tuple[Step | None, Step | None]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
# Beyond this many pairs of steps to weigh, or of words, the middle is taken in order: the exact way is quadratic.
_MOST_PAIRS = 10_000
_MOST_WORDS = 4_000
_ALIKE = 0.35  # steps that share less than this are not the same step changed; chosen by eye on GSM8K traces


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text. `same` says whether the other side has it in this place too."""

    text: str
    same: bool


@dataclass(frozen=True, slots=True)
class StepPair:
    """Two steps that stand for each other, or one that the other trace lacks. `same`: equal in text and type."""

    a: Step | None
    b: Step | None
    a_pieces: tuple[Piece, ...]
    b_pieces: tuple[Piece, ...]

    @property
    def same(self) -> bool:
        return self.a is not None and self.b is not None and _text(self.a) == _text(self.b)

    def to_dict(self) -> dict[str, Any]:
        return {
            "a": self.a.i if self.a else None,
            "b": self.b.i if self.b else None,
            "same": self.same,
            "a_pieces": [{"text": piece.text, "same": piece.same} for piece in self.a_pieces],
            "b_pieces": [{"text": piece.text, "same": piece.same} for piece in self.b_pieces],
        }


@dataclass(frozen=True, slots=True)
class StepDiff:
    """`divergence` is the index of the first pair that is not the same; None where all steps are."""

    pairs: tuple[StepPair, ...]
    divergence: int | None


@dataclass(frozen=True, slots=True)
class TraceDiff(StepDiff):
    """Two traces: their steps, and whether prompt, final answer and conversation (with the system text) are equal."""

    same_prompt: bool
    same_answer: bool
    same_conversation: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {
            "pairs": [pair.to_dict() for pair in self.pairs],
            "divergence": self.divergence,
            "same_prompt": self.same_prompt,
            "same_answer": self.same_answer,
            "same_conversation": self.same_conversation,
        }


def diff_traces(a: Trace, b: Trace) -> TraceDiff:
    """Align the steps of two traces as `diff_steps` does."""
    steps = diff_steps(a.steps, b.steps)
    return TraceDiff(
        pairs=steps.pairs,
        divergence=steps.divergence,
        same_prompt=a.prompt == b.prompt,
        same_answer=a.final_answer == b.final_answer,
        same_conversation=(a.system, a.conversation) == (b.system, b.conversation),
    )


def diff_steps(a: Sequence[Step], b: Sequence[Step]) -> StepDiff:
    """Align two lists of steps, in order, so that the pairs are as much alike as can be."""
    pairs = tuple(_pair(left, right) for left, right in _align(a, b))
    return StepDiff(pairs, next((i for i, pair in enumerate(pairs) if not pair.same), None))


def diff_words(a: str, b: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts cut where they begin or cease to be alike; each side's pieces put together are its text."""
    left, right = _words(a), _words(b)
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for operation in Indel.opcodes(left, right):
        same = operation.tag == "equal"
        for target, part in (
            (pieces[0], left[operation.src_start : operation.src_end]),
            (pieces[1], right[operation.dest_start : operation.dest_end]),
        ):
            if part:
                target.append(Piece("".join(part), same))
    return tuple(pieces[0]), tuple(pieces[1])


def _words(text: str) -> list[str]:
    words = _WORDS.findall(text)
    return words if len(words) <= _MOST_WORDS else text.splitlines(keepends=True)


def _pair(a: Step | None, b: Step | None) -> StepPair:
    if a is None or b is None:
        return StepPair(a, b, _only(a), _only(b))
    if _text(a) != _text(b) and not _alike(a, b):  # marks on scattered words would say nothing
        return StepPair(a, b, _only(a), _only(b))
    return StepPair(a, b, *diff_words(a.content, b.content))


def _only(step: Step | None) -> tuple[Piece, ...]:
    return () if step is None else (Piece(step.content, False),)


def _text(step: Step) -> tuple[str, str]:
    return step.type, step.content


def _align(a: Sequence[Step], b: Sequence[Step]) -> Iterator[Pair]:
    start, end = _common(a, b)
    yield from zip(a[:start], b[:start], strict=True)
    yield from _side_by_side(_align_middle(a[start : len(a) - end], b[start : len(b) - end]))
    yield from zip(a[len(a) - end :], b[len(b) - end :], strict=True)


def _side_by_side(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Steps that have no counterpart, beside each other as far as they go: easier to read than one after the other."""
    lone: tuple[list[Step], list[Step]] = ([], [])
    for left, right in pairs:
        if left is not None and right is not None:
            yield from zip_longest(*lone)
            lone = ([], [])
            yield left, right
        elif left is not None:
            lone[0].append(left)
        elif right is not None:
            lone[1].append(right)
    yield from zip_longest(*lone)


def _common(a: Sequence[Step], b: Sequence[Step]) -> tuple[int, int]:
    """How many steps are the same at the beginning, and at the end of what is left."""
    most = min(len(a), len(b))
    start = next((i for i in range(most) if _text(a[i]) != _text(b[i])), most)
    rest = most - start
    return start, next((i for i in range(rest) if _text(a[-1 - i]) != _text(b[-1 - i])), rest)


def _align_middle(a: Sequence[Step], b: Sequence[Step]) -> Iterator[Pair]:
    if len(a) * len(b) > _MOST_PAIRS:
        yield from zip_longest(a, b)
        return
    best = _likeness(a, b)
    i = j = 0
    while i < len(a) and j < len(b):
        together = _alike(a[i], b[j]) + best[i + 1][j + 1]
        if together >= best[i][j] - 1e-9 and together > best[i + 1][j + 1]:
            yield a[i], b[j]
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            yield a[i], None
            i += 1
        else:
            yield None, b[j]
            j += 1
    yield from ((step, None) for step in a[i:])
    yield from ((None, step) for step in b[j:])


def _likeness(a: Sequence[Step], b: Sequence[Step]) -> list[list[float]]:
    """`[i][j]`: how much of the steps from i and from j on can be alike at best, as in a longest common subsequence."""
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            best[i][j] = max(_alike(a[i], b[j]) + best[i + 1][j + 1], best[i + 1][j], best[i][j + 1])
    return best


def _alike(a: Step, b: Step) -> float:
    """From 0 to 1: the share of their words that two steps have in common, 0 where that is little."""
    share = Indel.normalized_similarity(a.content.split(), b.content.split())
    return share if share >= _ALIKE else 0.0
