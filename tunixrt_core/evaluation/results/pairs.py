"""Pairs of base and tuned evaluations of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunixrt_core.evaluation.predictions import EvalDir
from tunixrt_core.runs.evaluation_record import EvalRecord, Target


def base_and_tuned(records: Sequence[EvalRecord]) -> tuple[EvalRecord, EvalRecord] | None:
    """The newest tuned evaluation that has a base evaluation of the same setup; `records` are newest first."""
    bases = [record for record in records if record.target == "base"]
    for tuned in records:
        base = next((b for b in bases if tuned.target == "tuned" and b.setup == tuned.setup), None)
        if base is not None:
            return base, tuned
    return None


def newest(records: Sequence[EvalRecord], target: str) -> EvalRecord | None:
    """The newest ended evaluation of a target that has answers; `records` are newest first."""
    return next((r for r in records if r.target == target and r.metrics.get("rows")), None)


def latest_results(evals: Path, train_step: int | None = None) -> dict[Target, dict[str, Any]]:
    """The summaries in a run's `evals` folder that belong together, by target, base first.

    The newest of the tuned model (of `train_step` where given) and that of the base model with the same setup, or the
    newest of the base model alone.
    """
    found = [(EvalDir(file.parent), file.lstat().st_mtime_ns) for file in evals.glob("*/summary.json")]
    newest_first = [folder for folder, _ in sorted(found, key=lambda pair: -pair[1])]
    read = [(folder.spec(), folder.summary()) for folder in newest_first]
    done = [(spec, summary) for spec, summary in read if spec is not None and summary is not None]
    tuned = next((d for d in done if d[0].target == "tuned" and train_step in (None, d[0].train_step)), None)
    base = next((d for d in done if d[0].target == "base" and (tuned is None or d[0].setup == tuned[0].setup)), None)
    return {pair[0].target: pair[1] for pair in (base, tuned) if pair is not None}
