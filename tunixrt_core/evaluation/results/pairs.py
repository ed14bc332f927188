"""Pairs of base and tuned evaluations of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.runs.evaluation_record import EvalRecord, Side


def base_and_tuned(records: Sequence[EvalRecord]) -> tuple[EvalRecord, EvalRecord] | None:
    """The newest tuned evaluation that has a base evaluation of the same setup; `records` are newest first."""
    bases = [record for record in records if record.target == "base"]
    for tuned in records:
        base = next((b for b in bases if tuned.target == "tuned" and b.setup == tuned.setup), None)
        if base is not None:
            return base, tuned
    return None


def own_base(records: Iterable[EvalRecord], base: EvalRecord) -> EvalRecord | None:
    """Of an evaluation of a base model with the run's prompt: that of the same run, rows and settings with the model's
    own prompt, if it has answers.
    """
    if base.target != "base" or base.prompt != "run":
        return None
    wanted = {**base.setup, "prompt": "own"}
    same = (r for r in records if (r.run_id, r.target, r.setup) == (base.run_id, "base", wanted))
    return next((r for r in same if r.metrics.get("rows")), None)


def newest(records: Sequence[EvalRecord], target: str) -> EvalRecord | None:
    """The newest ended evaluation of a target that has answers; `records` are newest first."""
    return next((r for r in records if r.target == target and r.metrics.get("rows")), None)


def latest_results(evals: Path, train_step: int | None = None) -> dict[Side, dict[str, Any]]:
    """The summaries in a run's `evals` folder that belong together, by side, base first.

    The newest of the tuned model (of `train_step` where given) and that of the base model with the same setup, or the
    newest of the base model alone; `base_own` is the base model with its own prompt.
    """
    found = [(EvalDir(file.parent), file.lstat().st_mtime_ns) for file in evals.glob("*/summary.json")]
    newest_first = [folder for folder, _ in sorted(found, key=lambda pair: -pair[1])]
    read = [(folder.spec(), folder.summary()) for folder in newest_first]
    done = [(spec, summary) for spec, summary in read if spec is not None and summary is not None]
    tuned = next((d for d in done if d[0].target == "tuned" and train_step in (None, d[0].train_step)), None)
    bases = [d for d in done if d[0].target == "base"]
    asked = [d for d in bases if d[0].setup.prompt == "run"]
    base = next((d for d in asked if tuned is None or d[0].setup == tuned[0].setup), None)
    told = base or tuned
    own = next((d for d in bases if told and d[0].setup == replace(told[0].setup, prompt="own")), None)
    sides: tuple[tuple[Side, Any], ...] = (("base", base), ("base_own", own), ("tuned", tuned))
    return {side: found[1] for side, found in sides if found is not None}
