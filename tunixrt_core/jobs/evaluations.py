"""Evaluations in the queue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tunixrt_core.errors import Conflict, StoreError
from tunixrt_core.evaluation.execution import EvalPlan, execute_evaluation, execute_scoring, failed
from tunixrt_core.evaluation.predictions import EvalDir, EvalState
from tunixrt_core.jobs.queue import JobManager, WaitingJob
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.owners import Attempt

log = logging.getLogger(__name__)

KIND = "evaluate"


class QueuedEvaluations:
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

        def work(on_state: Callable[[EvalState], None], stop: threading.Event, attempt: Attempt) -> None:
            execute_scoring(manifest, folder, on_state=on_state, stop=stop, attempt=attempt)

        with _withdrawn_on_error(folder):
            write_json(folder.queued_file, {"score_again": True})
            folder.show_waiting()
            # not a new row: the time of the request shows whether the run has trained since
            self._registry.evals.mirror(record.id, folder)
            return self._submit(record, work)

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
        asked = {
            "target": plan.spec.target,
            "prompt": plan.spec.setup.prompt,
            "request": request.to_dict(),
            "again": again,
        }

        def work(on_state: Callable[[EvalState], None], stop: threading.Event, attempt: Attempt) -> None:
            execute_evaluation(plan, self._jobs.backend, again=again, on_state=on_state, stop=stop, attempt=attempt)

        with _withdrawn_on_error(plan.folder):
            write_json(plan.folder.queued_file, asked)
            plan.show_queued()
            return self._submit(self._registry.evals.add(run_id, plan.folder), work)

    def _submit(
        self, record: EvalRecord, work: Callable[[Callable[[EvalState], None], threading.Event, Attempt], None]
    ) -> EvalRecord:
        folder = EvalDir.of(record)
        attempt = folder.next_attempt()

        def mirror(state: EvalState | None = None) -> None:
            try:
                self._registry.evals.mirror(record.id, folder)
            except StoreError as error:
                # a database that is busy with a long import must not end an evaluation; the folder holds the truth
                log.warning("status of %s not mirrored: %s", record.id, error)

        def begin(stop: threading.Event) -> None:
            folder.queued_file.unlink(missing_ok=True)
            work(mirror, stop, attempt)

        def ended(status: RunStatus, message: str) -> None:
            if not folder.path.is_dir():  # it was deleted meanwhile, which its row tells
                self._registry.evals.get(record.id)
                return
            folder.queued_file.unlink(missing_ok=True)
            folder.write_end(status, message)
            mirror()

        self._jobs.submit(
            WaitingJob(record.id, record.run_id, KIND),
            begin,
            dropped=lambda: ended(*_dropped(folder)),
            failed=lambda message: ended(*failed(folder, message)),
            beat=folder.beat,
        )
        return record


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
