"""Evaluation: prompts of the eval split through a generator, each answer scored; base and tuned compared row by row."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.manifest import RunManifest
from tunixrt_core.render import parse_completion, render_prompt
from tunixrt_core.rows import read_rows
from tunixrt_core.runs import RunStatus, write_json
from tunixrt_core.scorers import SCORERS
from tunixrt_core.trainer import Generation, Generator

Target = Literal["base", "tuned"]
TARGETS: tuple[Target, ...] = ("base", "tuned")


@dataclass(frozen=True, slots=True)
class EvalRow:
    """One prompt to answer. `id` is the hash of its trace."""

    id: str
    prompt: str
    reference: str
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered to one row, and its scores by scorer name."""

    id: str
    prompt: str
    reference: str
    output: str
    answer: str | None
    scores: Mapping[str, float]
    tokens: int
    hit_limit: bool

    @property
    def correct(self) -> bool:
        return self.scores["exact_match"] == 1.0


@dataclass(frozen=True, slots=True)
class EvalRecord:
    """One evaluation of one target of a run, as the store lists it."""

    id: str
    run_id: str
    target: Target
    status: RunStatus
    directory: str
    created_at: datetime
    metrics: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None
    message: str = ""


@dataclass(slots=True)
class EvalProgress:
    """What an evaluation is doing now; read by pages while the worker writes it."""

    run_id: str
    target: Target
    phase: str = "queued"
    done: int = 0
    total: int = 0


class EvalDir:
    """The folder of one evaluation: `predictions.jsonl` grows batch by batch, `summary.json` is written last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def predictions_file(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    def predictions(self) -> list[Prediction]:
        """Every prediction written so far; a half-written last line is left out."""
        try:
            lines = self.predictions_file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [Prediction(**orjson.loads(line)) for line in lines]

    def summary(self) -> dict[str, Any] | None:
        try:
            loaded: dict[str, Any] = orjson.loads(self.summary_file.read_bytes())
        except FileNotFoundError:
            return None
        return loaded


def eval_rows(manifest: RunManifest, limit: int | None = None) -> list[EvalRow]:
    """The eval split of the manifest's data file, in order, at most `limit` rows.

    The reference is `reference_answer`, or the trace's own final answer. Raises InvalidDataset when there are none.
    """
    rows: list[EvalRow] = []
    for row in read_rows(Path(manifest.data.path), "eval"):
        if limit is not None and len(rows) >= limit:
            break
        trace = row.trace
        reference = trace.reference_answer or trace.final_answer
        rows.append(EvalRow(trace.content_hash, trace.prompt, reference, trace.system))
    if not rows:
        raise InvalidDataset(
            f"{manifest.data.path} holds no rows of the eval split; build a dataset version with eval_share above 0."
        )
    return rows


def evaluate(
    generator: Generator,
    manifest: RunManifest,
    rows: Sequence[EvalRow],
    folder: EvalDir,
    *,
    max_new_tokens: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Answer every row, score it, and write predictions as they come. Returns the summary that is written at the end.

    A stopped evaluation keeps its predictions and writes no summary; the returned one counts the rows that were done.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.summary_file.unlink(missing_ok=True)
    style, chat = manifest.rendering.reasoning, manifest.rendering.chat
    default = manifest.rendering.system
    prompts = [render_prompt(row.prompt, chat, style, system=row.system or default) for row in rows]
    began = time.perf_counter()
    predictions: list[Prediction] = []
    with folder.predictions_file.open("wb") as handle:

        def keep(first: int, generations: Sequence[Generation]) -> None:
            for row, generation in zip(rows[first:], generations, strict=False):
                parsed = parse_completion(generation.text, style)
                scores = {scorer.name: scorer.score(parsed, row.reference) for scorer in SCORERS}
                done = Prediction(
                    row.id,
                    row.prompt,
                    row.reference,
                    generation.text,
                    parsed.answer,
                    scores,
                    generation.tokens,
                    generation.hit_limit,
                )
                predictions.append(done)
                handle.write(orjson.dumps(asdict(done)) + b"\n")
            handle.flush()
            on_progress(len(predictions), len(rows))

        generator.generate(prompts, max_new_tokens=max_new_tokens, on_batch=keep, stop=stop)
    summary = summarise(predictions) | {"seconds": round(time.perf_counter() - began, 3), "planned_rows": len(rows)}
    if len(predictions) == len(rows):
        write_json(folder.summary_file, summary)
    return summary


def summarise(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Mean of every score with the 95 % Wilson interval of exact match, mean tokens, share that hit the limit."""
    n = len(predictions)
    if not n:
        return {"rows": 0}
    means = {s.name: sum(p.scores[s.name] for p in predictions) / n for s in SCORERS}
    low, high = wilson_interval(sum(p.correct for p in predictions), n)
    return {
        "rows": n,
        **means,
        "exact_match_low": low,
        "exact_match_high": high,
        "mean_tokens": sum(p.tokens for p in predictions) / n,
        "hit_limit": sum(p.hit_limit for p in predictions) / n,
        "scorers": {s.name: s.version for s in SCORERS},
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two targets on the same rows. `p_value` is McNemar's exact two-sided test on the rows that flipped."""

    both: int
    fixed: int  # wrong by the first, right by the second
    broken: int
    neither: int
    p_value: float

    @property
    def rows(self) -> int:
        return self.both + self.fixed + self.broken + self.neither


def compare(first: Sequence[Prediction], second: Sequence[Prediction]) -> Comparison:
    """Paired comparison over the rows that both have answered, matched by row id."""
    other = {p.id: p.correct for p in second}
    pairs = [(p.correct, other[p.id]) for p in first if p.id in other]
    counts = {key: pairs.count(key) for key in ((True, True), (False, True), (True, False), (False, False))}
    fixed, broken = counts[False, True], counts[True, False]
    return Comparison(counts[True, True], fixed, broken, counts[False, False], mcnemar(fixed, broken))


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p of McNemar's test: a fair coin thrown once for every row that flipped."""
    n, k = fixed + broken, min(fixed, broken)
    tail: float = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return min(1.0, 2 * tail)


def wilson_interval(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays inside 0 to 1 where n is small."""
    if n == 0:
        return 0.0, 1.0
    share, spread = right / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def flipped(first: Sequence[Prediction], second: Sequence[Prediction]) -> Iterator[tuple[Prediction, Prediction]]:
    """Pairs of predictions for the same row of which exactly one is right."""
    other = {p.id: p for p in second}
    for p in first:
        if p.id in other and p.correct != other[p.id].correct:
            yield p, other[p.id]
