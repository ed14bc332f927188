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
    """Prompts by their place, each padded to `length` tokens. A batch with too few prompts repeats its first one."""

    places: tuple[int, ...]
    length: int
    size: int

    @property
    def filled(self) -> tuple[int, ...]:
        return self.places + self.places[:1] * (self.size - len(self.places))


def plan_batches(lengths: Sequence[int]) -> list[PromptBatch]:
    """Prompts of these lengths in tokens -> batches of one size, the longest first, with as little padding as three
    lengths allow. Repeated prompts are next to each other.

    Longest first: insufficient memory shows at once, and the remaining time is not underestimated.
    """
    if not lengths:
        return []
    size = batch_size(len(lengths))
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    short = len(order) % size or size
    # the incomplete batch is that of the shortest prompts, where filling costs least
    groups = [order[:short], *(order[i : i + size] for i in range(short, len(order), size))]
    wanted = [padded(lengths[group[-1]]) for group in groups]
    chosen = _chosen_lengths(wanted)
    batches = [
        PromptBatch(tuple(group), next(length for length in chosen if length >= need), size)
        for group, need in zip(groups, wanted, strict=True)
    ]
    return batches[::-1]


def batch_size(prompts: int) -> int:
    """Prompts per batch, so that the smallest number of batches is about equally full; from 8 on a multiple of 8."""
    batches = -(-prompts // MOST_PROMPTS)
    even = -(-prompts // batches)
    return even if even < 8 else -(-even // 8) * 8


def padded(tokens: int) -> int:
    """This length or slightly more: eight lengths per doubling, so that other prompts often share a compiled one."""
    octave = 1 << max(0, tokens - 1).bit_length()
    step = max(_SMALLEST_STEP, octave // 16)
    return max(1, -(-tokens // step)) * step


def _chosen_lengths(wanted: Sequence[int]) -> tuple[int, ...]:
    """The few of the wanted lengths, ascending, for which rounding each wanted one up adds the fewest tokens."""
    needs = Counter(wanted)
    *shorter, longest = sorted(needs)

    def tokens(chosen: tuple[int, ...]) -> int:
        return sum(count * next(length for length in chosen if length >= need) for need, count in needs.items())

    # there are a few dozen distinct lengths at most, see `padded`
    choices = (
        (*some, longest) for count in range(min(MOST_LENGTHS, len(needs))) for some in combinations(shorter, count)
    )
    return min(choices, key=tokens)
