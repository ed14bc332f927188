"""Traces for the gates, and a gate at work on a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tunixrt_core.datasets.gates.check import EvalSet, Found, Tools
from tunixrt_core.datasets.gates.registry import chosen_gates, normal_gates
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Step, Trace


def trace(
    prompt: str = "q", answer: str = "5", reference: str | None = None, steps: Sequence[str] = ("so 5",)
) -> Trace:
    made = tuple(Step(i, content) for i, content in enumerate(steps))
    return Trace(prompt, made, answer, reference_answer=reference)


CLEAN = [
    trace(
        f"Anna has {n} apples and buys {n + 1} more at the market on day {n}. How many are there now?",
        str(2 * n + 1),
        str(2 * n + 1),
        (f"At first there are {n}.", f"With {n + 1} more it is {n} + {n + 1} = {2 * n + 1}."),
    )
    for n in range(20, 60)
]


def run_gate(
    name: str,
    rows: Sequence[Trace],
    *,
    eval_rows: Sequence[Trace] = (),
    eval_set: EvalSet | None = None,
    gone: Iterable[str] = (),
    **settings: Any,
) -> Found:
    """What one gate finds among rows of the train split, with rows of the eval split before them."""
    known = {one.content_hash: one for one in (*rows, *eval_rows)}

    def read(hashes: Iterable[str]) -> Iterator[Trace]:
        return (known[hash] for hash in hashes)

    choice = chosen_gates(normal_gates({name: {"action": "warn", **settings}}))[0]
    check = choice.gate.start(choice.settings, Tools(read, eval_set))
    sides: tuple[tuple[Split, Sequence[Trace]], ...] = (("eval", eval_rows), ("train", rows))
    try:
        for side, some in sides:
            look = check.look(side)
            for one in some:
                check.take(one.content_hash, side, look(one))
        return check.finish(set(gone))
    finally:
        check.close()
