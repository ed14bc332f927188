"""Row lengths of a version in tokens, counted or estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from tunixrt_core.datasets.gates.rules.length import estimated_tokens
from tunixrt_core.datasets.gates.texts import whole_text
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace

CountMany = Callable[[Sequence[str]], list[int]]
ESTIMATE = "estimate: UTF-8 bytes by 4"
_BATCH = 1_000
_MOST_BARS = 40
_WIDTHS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class SplitLengths:
    """Tokens of one split: total, median and longest row, and the number of rows per bar."""

    rows: int
    tokens: int
    median: int
    longest: int
    bars: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Bar `i` counts the rows of `i * width` to below `(i + 1) * width` tokens; the last one all longer ones too."""

    counted_by: str
    width: int
    train: SplitLengths
    eval: SplitLengths

    @property
    def rows(self) -> int:
        return self.train.rows + self.eval.rows

    @property
    def tokens(self) -> int:
        return self.train.tokens + self.eval.tokens


def estimate_many(texts: Sequence[str]) -> list[int]:
    return [estimated_tokens(text) for text in texts]


def measure(rows: Iterable[tuple[Trace, Split]], count: CountMany, counted_by: str) -> Lengths:
    """Tokens of prompt, reasoning and answer of every row, as plain text: without what a chat format adds."""
    found: dict[Split, list[int]] = {"train": [], "eval": []}
    rest = iter(rows)
    while batch := list(islice(rest, _BATCH)):
        for (_, split), tokens in zip(batch, count([whole_text(trace) for trace, _ in batch]), strict=True):
            found[split].append(tokens)
    width = _width([*found["train"], *found["eval"]])
    bars = 1 + max((length // width for lengths in found.values() for length in lengths), default=0)
    return Lengths(
        counted_by, width, *(_summary(found[side], width, min(bars, _MOST_BARS)) for side in ("train", "eval"))
    )


def _width(lengths: list[int]) -> int:
    """A round width that puts 99 of 100 rows into at most 40 bars: one giant row must not flatten all others."""
    if not lengths:
        return 1
    far = sorted(lengths)[min(len(lengths) - 1, 99 * len(lengths) // 100)]
    power = 1
    while True:
        for step in _WIDTHS:
            if far / (step * power) < _MOST_BARS:
                return step * power
        power *= 10


def _summary(lengths: list[int], width: int, bars: int) -> SplitLengths:
    counted = [0] * bars
    for length in lengths:
        counted[min(length // width, bars - 1)] += 1
    ordered = sorted(lengths)
    middle = ordered[len(ordered) // 2] if ordered else 0
    return SplitLengths(len(ordered), sum(ordered), middle, ordered[-1] if ordered else 0, tuple(counted))
