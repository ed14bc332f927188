"""One evaluation in the calling thread, for queue and command."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tunixrt_core.errors import InvalidEvaluation, InvalidManifest
from tunixrt_core.evaluation.answering import evaluate, rescore
from tunixrt_core.evaluation.folder import EvalDir, EvalState, planned_answers
from tunixrt_core.evaluation.planning import EvalPlan
from tunixrt_core.evaluation.progress import Report, reported
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.sets.leaks import find_leaks
from tunixrt_core.evaluation.sets.own_prompt import OwnPrompts, own_prompts
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.base_model import require_same_base
from tunixrt_core.training.trainer import Generator
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.owners import Attempt


def execute_evaluation(
    plan: EvalPlan,
    backend: Backend,
    *,
    again: bool = False,
    on_state: Callable[[EvalState], None] = lambda state: None,
    stop: threading.Event | None = None,
    attempt: Attempt | None = None,
) -> dict[str, Any]:
    """Evaluate in this thread and return the summary; that of a stopped evaluation covers the existing answers.

    Answers of the same name are kept and completed, or only scored again where the scorers differ; `again` answers
    everything again. Errors are raised, and written to the state too; Superseded, where another process has started
    it again, is raised alone. `attempt`: whose start this is; that of this process where none is given.
    """
    folder = plan.folder
    if plan.is_done and not again:
        return folder.summary() or {}
    if folder.summary() is not None and not again:
        write_json(folder.spec_file, plan.spec.to_dict())
        return execute_scoring(plan.manifest, folder, on_state=on_state, stop=stop, attempt=attempt)
    total = len(plan.eval_set.rows) * plan.spec.setup.samples
    with (
        ScorerSet(plan.spec.scorers) as scorers,
        reported(folder, total, on_state, stop, attempt) as report,
    ):
        if plan.spec.target == "tuned":
            _look_for_leaks(plan, report)
        return _answer(plan, scorers, backend, report, again=again)


def execute_scoring(
    manifest: RunManifest,
    folder: EvalDir,
    *,
    on_state: Callable[[EvalState], None] = lambda state: None,
    stop: threading.Event | None = None,
    attempt: Attempt | None = None,
) -> dict[str, Any]:
    """Score the answers of a finished evaluation again, by the scorers that its spec names; no model is needed.

    Raises InvalidEvaluation where there is no such evaluation, or a scorer is not installed any more.
    """
    spec, summary = folder.spec(), folder.summary()
    if spec is None or summary is None:
        raise InvalidEvaluation(f"{folder.path} holds no answers to score. Evaluate again.")
    with (
        ScorerSet(spec.scorers) as scorers,
        reported(folder, planned_answers(summary), on_state, stop, attempt) as report,
    ):
        report.tell(status=RunStatus.RUNNING, phase="scoring")
        return rescore(manifest, scorers, folder)


def _look_for_leaks(plan: EvalPlan, report: Report) -> None:
    """Find the eval rows that the model was trained on; nothing where the data file has changed since."""
    report.phase("comparing")
    try:
        check_data_unchanged(plan.manifest.data)
    except InvalidManifest:
        return  # an eval file needs no data file
    write_json(plan.folder.leaks_file, find_leaks(plan.eval_set, plan.manifest).to_dict())


def _answer(plan: EvalPlan, scorers: ScorerSet, backend: Backend, report: Report, *, again: bool) -> dict[str, Any]:
    """Nothing of earlier answers is touched before the model is there."""
    report.phase("loading")
    require_same_base(plan.run_folder, plan.manifest, backend.base_directory(plan.manifest))
    checkpoints = plan.run_folder.checkpoint(plan.request.checkpoint) if plan.spec.target == "tuned" else None
    own = own_prompts(backend, plan.manifest, plan.eval_set.rows) if plan.spec.setup.prompt == "own" else None
    with closing(backend.load_generator()(plan.manifest, checkpoints, on_phase=report.phase)) as generator:
        if again or plan.folder.spec() is None:
            plan.folder.predictions_file.unlink(missing_ok=True)
        write_json(plan.folder.spec_file, plan.spec.to_dict())
        return _generate(plan, own, scorers, generator, report)


def _generate(
    plan: EvalPlan, own: OwnPrompts | None, scorers: ScorerSet, generator: Generator, report: Report
) -> dict[str, Any]:
    def advance(done: int, total: int) -> None:
        report.tell(status=RunStatus.RUNNING, done=done, total=total, compiles=generator.compiles)

    summary = evaluate(
        generator,
        plan.manifest,
        plan.eval_set,
        plan.spec.setup,
        scorers,
        plan.folder,
        own=own,
        on_progress=advance,
        stop=report.stop,
    )
    report.tell(compiles=generator.compiles)
    return summary
