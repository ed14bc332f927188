"""Evaluations in the queue."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import Conflict, StoreError
from tunixrt_core.evaluation.execution import execute_evaluation, execute_scoring
from tunixrt_core.evaluation.folder import INTERRUPTED, EvalDir
from tunixrt_core.evaluation.planning import EvalPlan, plan_evaluation
from tunixrt_core.evaluation.progress import failed
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.jobs.spec import Follower, JobSpec, Kind, Tell
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.ownership import Condition
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.files.atomic import write_json

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.jobs.queue import JobManager

log = logging.getLogger(__name__)

KIND: Kind = "evaluate"


def work(spec: JobSpec, place: Workplace, stop: StopRequest, tell: Tell) -> None:
    """Answer and score, or score alone; the folder records how it ends."""
    manifest, folder = RunManifest.from_dict(spec.body["manifest"]), _folder(spec)
    folder.queued_file.unlink(missing_ok=True)
    attempt = place.attempt(spec)
    if spec.body.get("score_again"):
        execute_scoring(manifest, folder, on_state=lambda state: tell({}), stop=stop, attempt=attempt)
        return
    plan = _plan(manifest, spec)
    if plan.folder.path != folder.path:
        raise Conflict(f"{spec.run} was trained, or its eval rows changed, since it was queued. Evaluate again.")
    execute_evaluation(
        plan, place.backend, again=spec.body["again"], on_state=lambda state: tell({}), stop=stop, attempt=attempt
    )


def _plan(manifest: RunManifest, spec: JobSpec) -> EvalPlan:
    request = EvalRequest.from_dict(spec.body["request"])
    run_folder = RunDir(_folder(spec).path.parent.parent)
    return plan_evaluation(manifest, run_folder, spec.body["target"], request, prompt=spec.body["prompt"])


def _folder(spec: JobSpec) -> EvalDir:
    return EvalDir(Path(spec.body["folder"]))


class QueuedEvaluations(Follower):
    """Evaluations of one home, in the queue of the accelerator."""

    def __init__(self, jobs: JobManager, registry: Registry) -> None:
        self._jobs = jobs
        self._registry = registry

    def queue(self, run_id: str, plans: Iterable[EvalPlan], *, again: bool = False) -> list[EvalRecord]:
        """Queue each plan; one that waits or runs, or is done without `again`, is returned as it is."""
        held = {record.directory: record for record in self._registry.evals.list(run_id)}
        return [
            self._known(held.get(str(plan.folder.path)), plan, again) or self._queue(run_id, plan, again)
            for plan in plans
        ]

    def stop(self, eval_id: str) -> None:
        """Stop a waiting or running one, in any process; its answers so far are kept. Raises NotFound, Conflict."""
        record = self._registry.evals.get(eval_id)
        if record.status.over:
            raise Conflict(f"The evaluation is over ({record.status}); there is nothing to stop.")
        if not self._jobs.stop_job(eval_id):
            EvalDir.of(record).stop_file.touch()  # another process runs it

    @staticmethod
    def _known(record: EvalRecord | None, plan: EvalPlan, again: bool) -> EvalRecord | None:
        if record is None or not record.status.over:
            return record
        return record if plan.is_done and not again else None

    def score_again(self, record: EvalRecord, manifest: RunManifest) -> EvalRecord:
        """Queue a new scoring of a finished evaluation. One that waits or runs is returned as it is."""
        if not record.status.over:
            return record
        folder = EvalDir.of(record)
        with _withdrawn_on_error(folder):
            write_json(folder.queued_file, {"score_again": True})
            folder.show_waiting()
            # not a new row: the time of the request shows whether the run has trained since
            self._registry.evals.mirror(record.id, folder)
            return self._submit(record, manifest, {"score_again": True})

    def refuse(self, eval_id: str, folder: EvalDir, why: str) -> None:
        """Write down why an evaluation that waited cannot be queued again."""
        folder.queued_file.unlink(missing_ok=True)
        status, message = failed(folder, why)
        folder.write_end(status, message)
        self._registry.evals.get(eval_id)  # its row follows the folder

    def _queue(self, run_id: str, plan: EvalPlan, again: bool) -> EvalRecord:
        plan.folder.path.mkdir(parents=True, exist_ok=True)
        file = plan.request.eval_file
        # absolute, as a server may be started again in another folder
        request = plan.request if file is None else replace(plan.request, eval_file=file.expanduser().absolute())
        asked: dict[str, Any] = {
            "target": plan.spec.target,
            "prompt": plan.spec.setup.prompt,
            "request": request.to_dict(),
            "again": again,
        }

        with _withdrawn_on_error(plan.folder):
            write_json(plan.folder.queued_file, asked)
            plan.show_queued()
            return self._submit(self._registry.evals.add(run_id, plan.folder), plan.manifest, asked)

    def _submit(self, record: EvalRecord, manifest: RunManifest, asked: Mapping[str, Any]) -> EvalRecord:
        folder = EvalDir.of(record)
        body = {**asked, "manifest": manifest.to_dict(), "folder": str(folder.path)}
        spec = JobSpec(record.id, record.run_id, KIND, body, folder.next_attempt().number)
        self._jobs.submit(spec, self)
        return record

    # --- the follower of its jobs ------------------------------------------------------------------------------------

    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        try:
            self._registry.evals.mirror(spec.id, _folder(spec))
        except StoreError as error:
            # a database that is busy with a long import must not end an evaluation; the folder holds the truth
            log.warning("status of %s not mirrored: %s", spec.id, error)

    def dropped(self, spec: JobSpec) -> None:
        self._ended(spec, *_dropped(_folder(spec)))

    def failed(self, spec: JobSpec, message: str) -> None:
        self._ended(spec, *failed(_folder(spec), message))

    def lost(self, spec: JobSpec, why: str, *, again: bool) -> JobSpec | None:
        """The answers that were written stay."""
        folder = _folder(spec)
        if not again:
            self._ended(spec, RunStatus.INTERRUPTED, f"{why} {INTERRUPTED}")
            return None
        log.warning("%s: %s It continues with the missing answers.", spec.id, why)
        asked = {name: value for name, value in spec.body.items() if name not in ("manifest", "folder")}
        write_json(folder.queued_file, asked)
        folder.show_waiting()
        # what was answered is kept, also of one that answers everything again
        return replace(spec, body={**spec.body, "again": False}, attempt=folder.next_attempt().number)

    def condition(self, spec: JobSpec) -> Condition:
        return _folder(spec).condition(spec.attempt)

    def beat(self, spec: JobSpec) -> None:
        _folder(spec).beat()

    def _ended(self, spec: JobSpec, status: RunStatus, message: str) -> None:
        folder = _folder(spec)
        if not folder.path.is_dir():  # it was deleted meanwhile, which its row tells
            self._registry.evals.get(spec.id)
            return
        folder.queued_file.unlink(missing_ok=True)
        folder.write_end(status, message)
        self.told(spec, {})


@contextmanager
def _withdrawn_on_error(folder: EvalDir) -> Iterator[None]:
    """An evaluation that an error keeps from the queue does not show that it waits; its row follows its folder."""
    with ExitStack() as not_queued:
        not_queued.callback(_withdraw, folder)
        yield
        not_queued.pop_all()


def _withdraw(folder: EvalDir) -> None:
    folder.queued_file.unlink(missing_ok=True)
    folder.write_end(*_dropped(folder))


def _dropped(folder: EvalDir) -> tuple[RunStatus, str]:
    """The outcome of one that left the queue before it began; one that was finished before stays finished."""
    if folder.summary() is not None:
        return RunStatus.SUCCEEDED, ""
    return RunStatus.STOPPED, "Stopped before it began."
