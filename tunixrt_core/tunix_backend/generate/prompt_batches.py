"""Batches of prompts, a function of the prompt lengths alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

MOST_PROMPTS = 32  # in a batch
MOST_LENGTHS = 3  # every length is compiled once
_SMALLEST_STEP = 16  # tokens


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """Prompts by their place, each padded to `length` tokens. A batch that is short of prompts repeats its first."""

    places: tuple[int, ...]
    length: int
    size: int

    @property
    def filled(self) -> tuple[int, ...]:
        return self.places + self.places[:1] * (self.size - len(self.places))


def plan_batches(lengths: Sequence[int]) -> list[PromptBatch]:
    """Prompts of these many tokens -> batches of one size, the longest first, of as few padded tokens as three lengths
    allow. Repeated prompts stand side by side.

    Longest first: memory that does not suffice shows at once, and the time left is not underestimated.
    """
    if not lengths:
        return []
    size = batch_size(len(lengths))
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    short = len(order) % size or size
    # the batch that must be filled up is the one of the shortest prompts, where that costs least
    groups = [order[:short], *(order[i : i + size] for i in range(short, len(order), size))]
    wanted = [padded(lengths[group[-1]]) for group in groups]
    chosen = _chosen_lengths(wanted)
    batches = [
        PromptBatch(tuple(group), next(length for length in chosen if length >= need), size)
        for group, need in zip(groups, wanted, strict=True)
    ]
    return batches[::-1]


def batch_size(prompts: int) -> int:
    """Prompts in each batch, so that as few batches as need be are about equally full; from 8 on a multiple of 8."""
    batches = -(-prompts // MOST_PROMPTS)
    even = -(-prompts // batches)
    return even if even < 8 else -(-even // 8) * 8


def padded(tokens: int) -> int:
    """This length or slightly more: eight lengths a doubling, so that other prompts often find theirs compiled."""
    octave = 1 << max(0, tokens - 1).bit_length()
    step = max(_SMALLEST_STEP, octave // 16)
    return max(1, -(-tokens // step)) * step


def _chosen_lengths(wanted: Sequence[int]) -> tuple[int, ...]:
    """Of the wanted lengths, ascending, the few such that rounding each up to a chosen one adds least."""
    needs = Counter(wanted)
    *shorter, longest = sorted(needs)

    def tokens(chosen: tuple[int, ...]) -> int:
        return sum(count * next(length for length in chosen if length >= need) for need, count in needs.items())

    # a few dozen lengths at most are distinct, see `padded`
    choices = (
        (*some, longest) for count in range(min(MOST_LENGTHS, len(needs))) for some in combinations(shorter, count)
    )
    return min(choices, key=tokens)
