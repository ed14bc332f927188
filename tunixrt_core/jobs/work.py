"""The work of a job in the calling thread, for the queue and any other process."""

from __future__ import annotations

from collections.abc import Callable

from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.jobs.kinds import dry_runs, evaluations, model_exports, questions, trainings
from tunixrt_core.jobs.kinds.workplace import Workplace
from tunixrt_core.jobs.spec import Executor, JobSpec, Kind, Tell
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.stop import StopRequest

Work = Callable[[JobSpec, Workplace, StopRequest, Tell], None]

WORK: dict[Kind, Work] = {
    "train": trainings.work,
    "evaluate": evaluations.work,
    "export": model_exports.work,
    "dry run": dry_runs.work,
    "playground": questions.work,
}


def run_job(spec: JobSpec, place: Workplace, *, stop: StopRequest, tell: Tell) -> None:
    """Do a job in this thread. Raises its error, as a TunixRTError where a user can fix it.

    A training and an evaluation record their outcome in their folder; of the other kinds it is the last news.
    """
    if spec.kind != "playground":
        place.models.make_room()  # it needs the memory
    WORK[spec.kind](spec, place, stop, tell)


class Local(Executor):
    """The executor of this process: a job is done in the thread of the queue."""

    def __init__(self, backend: Backend, models: LoadedModels, webhook: str | None) -> None:
        self._place = Workplace(backend, models, webhook)

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        run_job(spec, self._place, stop=stop, tell=tell)
