"""Bundled example traces: turns of a dial.

Each step looks up one fact (where the hand is, one turn, where it is then), of which there are only a hundred, and
the prompt says which. The answer alone needs all turns at once: a model trained without the steps has to guess.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tunixrt_core.traces.trace import Step, Trace

DEFAULT_COUNT = 600
SOURCE = "example"

_TURNS = 5
_LARGEST_TURN = 5
_NUMBERS = 10  # on the dial


def example_traces(n: int = DEFAULT_COUNT, seed: int = 0) -> Iterator[Trace]:
    """`n` traces with prompts that all differ. The same n and seed give the same traces on every machine."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < n:
        trace = _trace(rng)
        if trace.prompt not in seen:
            seen.add(trace.prompt)
            yield trace


def _trace(rng: random.Random) -> Trace:
    hand = start = _below(rng, _NUMBERS)
    turns: list[str] = []
    steps: list[Step] = []
    for i in range(_TURNS):
        amount = 1 + _below(rng, _LARGEST_TURN)
        sign, word = ((1, "forward"), (-1, "back"))[_below(rng, 2)]
        after = (hand + sign * amount) % _NUMBERS
        turns.append(f"{amount} {word}")
        steps.append(Step(i, f"{hand} {word} {amount} is {after}.", "compute"))
        hand = after
    return Trace(
        prompt=f"A dial from 0 to 9 shows {start}. Turn it {', '.join(turns)}. What does it show?",
        steps=tuple(steps),
        final_answer=str(hand),
        reference_answer=str(hand),
        source=SOURCE,
        meta={"task": "dial", "turns": _TURNS},
    )


def _below(rng: random.Random, n: int) -> int:
    """A number from 0 to n - 1. Only `random()` is promised to stay the same in later Python versions."""
    return int(rng.random() * n)
