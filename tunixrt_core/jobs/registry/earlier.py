"""Evaluations of the first version, whose folders have neither a spec nor a state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.folder import EvalDir, EvalSpec, EvalState, planned_answers
from tunixrt_core.evaluation.planning import longest_row
from tunixrt_core.evaluation.predictions import write_predictions
from tunixrt_core.evaluation.sets.eval_set import EvalRow, rows_hash
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.runs.evaluation_record import TARGETS
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.files.atomic import write_json


def describe(folder: EvalDir) -> None:
    """Write what the first version left out of a finished evaluation: spec, state, and the row of each answer.

    It named the folders by the target alone, `base` and `tuned`, always took the last checkpoint, greedy answers of at
    most the longest row, and the first rows of the eval split. Other folders are left as they are.
    """
    target = next((each for each in TARGETS if each == folder.path.name), None)
    summary = folder.summary()
    if target is None or summary is None or folder.spec_file.exists():
        return
    run = RunDir(folder.path.parents[1])
    try:
        manifest = load_manifest(run.manifest_file)
        train_step = run.checkpoint_step("last") if target == "tuned" else None
    except TunixRTError:  # a broken run says so itself, and its evaluations wait for its repair
        return
    answers = [replace(each, row=row) for row, each in enumerate(folder.predictions())]
    rows = [EvalRow(each.id, each.prompt, each.reference) for each in answers]
    data = manifest.dataset
    name = f"{data.name} v{data.version}" if data else Path(manifest.data.path).name
    done = planned_answers(summary)
    spec = EvalSpec(
        target=target,
        train_step=train_step,
        setup=EvalSetup(
            eval_set=EvalSetRef("split", name, rows_hash(rows), len(rows)), max_new_tokens=longest_row(manifest, run)
        ),
        scorers=tuple(summary.get("scorers", {})),
    )
    write_predictions(folder.predictions_file, answers)
    ended = folder.summary_file.stat().st_mtime
    folder.write_state(EvalState(RunStatus.SUCCEEDED, done=done, total=done, ended_at=ended))
    write_json(folder.spec_file, spec.to_dict())  # last: with it the folder is complete
