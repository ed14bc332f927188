"""One evaluation in the calling thread, for queue and command."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tunixrt_core.errors import InvalidEvaluation, InvalidManifest, OutputError, Superseded, TunixRTError
from tunixrt_core.evaluation.answering import evaluate, rescore
from tunixrt_core.evaluation.harvest import model_label
from tunixrt_core.evaluation.own_prompt import OwnPrompts, own_prompts
from tunixrt_core.evaluation.predictions import EvalDir, EvalSpec, EvalState, planned_answers
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.sets.eval_set import EvalSet, split_set
from tunixrt_core.evaluation.sets.file import file_set
from tunixrt_core.evaluation.sets.leaks import find_leaks
from tunixrt_core.evaluation.sets.setup import EvalRequest, EvalSetup
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import SIDES, PromptForm, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.base_model import require_same_base
from tunixrt_core.training.trainer import Generator
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.owners import Attempt, Heartbeat

log = logging.getLogger(__name__)

NOT_AGAIN = "Not evaluated again, the earlier answers are kept:"


@dataclass(frozen=True, slots=True)
class EvalPlan:
    """An evaluation that can begin: the request with its checkpoint, scorers and rows."""

    manifest: RunManifest
    run_folder: RunDir
    request: EvalRequest
    spec: EvalSpec
    eval_set: EvalSet
    versions: Mapping[str, int]  # of the scorers

    @property
    def folder(self) -> EvalDir:
        return EvalDir(self.run_folder.evals / self.spec.name)

    @property
    def label(self) -> str:
        """The name of the model: `base`, also `base, own prompt`, or the run with the train step."""
        train_step = self.spec.train_step
        if train_step is None:
            return SIDES["base_own" if self.spec.setup.prompt == "own" else "base"]
        return model_label(self.manifest, self.run_folder.path.name, train_step)

    @property
    def is_done(self) -> bool:
        """Whether the same answers, scored by the same scorers, already exist."""
        summary = self.folder.summary()
        return summary is not None and self.folder.spec() == self.spec and summary.get("scorers") == self.versions

    def show_queued(self) -> None:
        """Write to the folder's state that it waits for this process."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if self.folder.spec() is None:
            write_json(self.folder.spec_file, self.spec.to_dict())
        self.folder.show_waiting()


def plan_evaluations(
    manifest: RunManifest, run_folder: RunDir, targets: Iterable[Target], request: EvalRequest
) -> list[EvalPlan]:
    """A plan per model, asked as the run renders a row; then the base model with its own prompt, if it is among them
    and the request wants it. Raises as `plan_evaluation` does.
    """
    plans: list[EvalPlan] = []
    for target in targets:
        same = plans[0].eval_set if plans else None
        plans.append(plan_evaluation(manifest, run_folder, target, request, eval_set=same))
    base = next((plan for plan in plans if plan.spec.target == "base"), None)
    if base is not None and request.own_prompt:
        plans.append(plan_evaluation(manifest, run_folder, "base", request, eval_set=base.eval_set, prompt="own"))
    return plans


def plan_evaluation(
    manifest: RunManifest,
    run_folder: RunDir,
    target: Target,
    request: EvalRequest,
    *,
    eval_set: EvalSet | None = None,
    prompt: PromptForm = "run",
) -> EvalPlan:
    """Find the checkpoint, the scorers and the rows of a request, unless `eval_set` gives the rows.

    Raises InvalidEvaluation, UnreadableFile for an eval file, InvalidDataset for an empty eval split, InvalidManifest
    for a data file that has changed, NotFound for a missing checkpoint.
    """
    with ScorerSet(request.scorers) as scorers:
        names, versions = scorers.names, scorers.versions
    rows = eval_set or _rows(manifest, request)
    setup = EvalSetup(
        eval_set=rows.ref,
        max_new_tokens=request.max_new_tokens or longest_row(manifest, run_folder),
        samples=request.samples,
        sampling=request.sampling,
        prompt=prompt,
    )
    train_step = run_folder.checkpoint_step(request.checkpoint) if target == "tuned" else None
    spec = EvalSpec(target=target, train_step=train_step, setup=setup, scorers=names)
    return EvalPlan(manifest, run_folder, request, spec, rows, versions)


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
        _reported(folder, total, on_state, stop or threading.Event(), attempt) as report,
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
        _reported(folder, planned_answers(summary), on_state, stop or threading.Event(), attempt) as report,
    ):
        report.tell(status=RunStatus.RUNNING, phase="scoring")
        return rescore(manifest, scorers, folder)


def _rows(manifest: RunManifest, request: EvalRequest) -> EvalSet:
    if request.eval_file is not None:
        return file_set(request.eval_file, request.limit, columns=request.eval_columns)
    check_data_unchanged(manifest.data)
    return split_set(manifest, request.limit)


def _look_for_leaks(plan: EvalPlan, report: _Report) -> None:
    """Find the eval rows that the model was trained on; nothing where the data file has changed since."""
    report.phase("comparing")
    try:
        check_data_unchanged(plan.manifest.data)
    except InvalidManifest:
        return  # an eval file needs no data file
    write_json(plan.folder.leaks_file, find_leaks(plan.eval_set, plan.manifest).to_dict())


def _answer(plan: EvalPlan, scorers: ScorerSet, backend: Backend, report: _Report, *, again: bool) -> dict[str, Any]:
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
    plan: EvalPlan, own: OwnPrompts | None, scorers: ScorerSet, generator: Generator, report: _Report
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


@dataclass(slots=True)
class _Report:
    """Writes `state.json` during the evaluation, every ten seconds at least, and notices the `stop` file."""

    folder: EvalDir
    on_state: Callable[[EvalState], None]
    stop: threading.Event
    state: EvalState = field(default_factory=EvalState)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def phase(self, name: str) -> None:
        status = self.state.status
        if status in (RunStatus.QUEUED, RunStatus.LOADING):
            known = {"compiling": RunStatus.COMPILING, "generating": RunStatus.RUNNING}
            status = known.get(name, RunStatus.LOADING)
        self.tell(status=status, phase=name)

    def tell(self, **changes: Any) -> None:
        if self.folder.stop_file.exists():
            self.stop.set()
        with self.lock:
            fresh = replace(self.state, **changes)
            if fresh == self.state:
                return
            self._write(fresh)
        self.on_state(self.state)

    def beat(self) -> None:
        """Write the state as it is: the owner is alive."""
        try:
            with self.lock:
                self._write(self.state)
        except (Superseded, OutputError, OSError) as error:  # the next progress meets it too
            log.warning("%s: %s", self.folder.path.name, error)

    def _write(self, state: EvalState) -> None:
        self.state = replace(state, updated_at=time.time())
        self.folder.write_state(self.state)


@contextmanager
def _reported(
    folder: EvalDir, total: int, on_state: Callable[[EvalState], None], stop: threading.Event, attempt: Attempt | None
) -> Iterator[_Report]:
    """Inside, the state follows the progress; afterwards it holds the outcome, also after an error.

    Raises Superseded where the evaluation was started again elsewhere; then nothing more is written.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.stop_file.unlink(missing_ok=True)
    owner, number = attempt or folder.next_attempt()
    report = _Report(folder, on_state, stop)
    report.tell(owner=owner, attempt=number, started_at=time.time(), total=total)
    try:
        with Heartbeat(report.beat):
            yield report
    finally:
        error = sys.exc_info()[1]
        if not isinstance(error, Superseded):
            status, message = _end(report, error)
            report.tell(status=status, message=message, phase="", ended_at=time.time())


def _end(report: _Report, error: BaseException | None) -> tuple[RunStatus, str]:
    if isinstance(error, TunixRTError):
        return failed(report.folder, str(error))
    if error is not None:
        return failed(report.folder, unwritable(report.folder.path, error) or f"{type(error).__name__}: {error}")
    if report.folder.summary() is None:
        return RunStatus.STOPPED, "Stopped; evaluate again to resume."
    return RunStatus.SUCCEEDED, ""


def failed(folder: EvalDir, message: str) -> tuple[RunStatus, str]:
    """The outcome of an evaluation that failed. One that was finished before, and is to be answered or scored again,
    stays finished: its answers are all there.
    """
    if folder.summary() is not None:
        return RunStatus.SUCCEEDED, f"{NOT_AGAIN} {message}"
    return RunStatus.FAILED, message


def longest_row(manifest: RunManifest, folder: RunDir) -> int:
    """Tokens of the longest row trained on: no completion in the training data is longer."""
    plan = folder.state().plan if folder.state_file.exists() else {}
    return int(plan.get("row_length", manifest.max_seq_length))
