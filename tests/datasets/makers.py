"""Traces with prompts, references and scores, and the tools that read them back, as a store would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import Any

from tunixrt_core.datasets.building import Built, build
from tunixrt_core.datasets.gates.check import EvalSet, Tools
from tunixrt_core.datasets.pool import Candidate
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.traces.trace import Step, Trace


def trace(n: int, *, answer: str | None = None, steps: Sequence[str] = (), **more: Any) -> Trace:
    """A trace of the prompt `n`; right unless another answer is given."""
    asked = f"The double of {n} is asked " + "for."  # as in the first release, whose hash a test knows
    said = steps or (asked, f"{n} + {n} = {2 * n}")
    made = tuple(Step(i, content) for i, content in enumerate(said))
    prompt = more.pop("prompt", f"What is the double of {n}?")
    return Trace(prompt, made, answer or str(2 * n), reference_answer=str(2 * n), **more)


def hash_of(name: object) -> str:
    """As long as the hash of a trace, for candidates without one."""
    return sha256(str(name).encode()).hexdigest()


def candidates(traces: Sequence[Trace]) -> list[Candidate]:
    """Newest first, as the store gives them."""
    return [Candidate(i, t.content_hash, t.group_key) for i, t in enumerate(traces, 1)][::-1]


def tools(traces: Iterable[Trace], eval_set: EvalSet | None = None) -> Tools:
    known = {one.content_hash: one for one in traces}

    def read(hashes: Iterable[str]) -> Iterator[Trace]:
        return (known[hash] for hash in hashes if hash in known)

    return Tools(read, eval_set)


def built(traces: Sequence[Trace], eval_set: EvalSet | None = None, **spec: Any) -> Built:
    return build(DatasetSpec("d", **spec), candidates(traces), tools(traces, eval_set))


def numbers(made: Built, traces: Sequence[Trace]) -> list[int]:
    """Which of the traces a version holds, by their place in the list."""
    held = {row.hash for row in made.rows}
    return [i for i, one in enumerate(traces) if one.content_hash in held]


def mixed(count: int) -> Iterator[Trace]:
    """Traces with everything that a gate or a selection looks for: near and exact duplicates, prompts quoted in other
    traces, wrong answers, formulas that need math-verify, loose tags, scores and kinds.
    """
    rng = Random(7)
    words = [f"word{n}" for n in range(2_000)]
    kept: list[Trace] = []
    for n in range(count):
        meta = {"kind": "abc"[n % 3], "scores": {"taste": n % 17 / 17}}
        prompt, steps = f"Case {n}: {' '.join(rng.choices(words, k=24))}?", [" ".join(rng.choices(words, k=40))]
        answer, reference = str(n), str(n if n % 11 else n + 1)
        if kept and n % 9 == 4:  # a near-duplicate
            other = rng.choice(kept)
            prompt, steps = (
                other.prompt.replace("?", " again?" if n % 2 else "?"),
                [other.steps[0].content.replace(" word1", " other", 2)],
            )
        elif kept and n % 9 == 7:  # quotes the prompt of another one
            steps = [f"{steps[0]} {rng.choice(kept).prompt} {rng.choice(words)}", "second"]
        if n % 50 == 3:
            answer, reference = "x^2 + 2x + 1", "(x+1)^2" if n % 100 == 3 else "(x+2)^2"
        if n % 70 == 5:
            steps.append("<think> without an end")
        made = Trace(
            prompt,
            tuple(Step(i, content) for i, content in enumerate(steps)),
            answer,
            meta=meta,
            reference_answer=reference if n % 4 else None,
        )
        yield made
        if kept and n % 40 == 13:  # the same in capital letters
            yield Trace(made.prompt.upper(), made.steps, made.final_answer, meta=meta)
        kept.append(made)
