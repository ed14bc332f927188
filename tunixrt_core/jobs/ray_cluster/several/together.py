"""One training by several processes of a Ray cluster, each on a machine of its own."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tunixrt_core.errors import JobFailed, TunixRTError
from tunixrt_core.jobs.ray_cluster.news import News, outcome
from tunixrt_core.jobs.ray_cluster.several.machines import Machines, as_options, require_wanted
from tunixrt_core.jobs.spec import JobSpec, WorkerLost
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import Trainer, TrainOutcome
from tunixrt_core.tunix_backend.backend import TunixBackend

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_SAY_SECONDS = 5.0  # that machines may take to be reserved before the run says that it waits
_LAST_SECONDS = 15.0  # that the others have to end after the first process
# An error may be that of another process, whose death breaks the sums of all. The one that leads sees a death within
# seconds and ends all, so the first process waits for that before it records an error that no user can fix; and the
# others wait, but not as long, before they say that they failed, so that the first one can say it.
_FIRST_SECONDS, _OTHER_SECONDS = 20.0, 8.0


@dataclass(frozen=True, slots=True)
class Part:
    """What each process of a training is given. `leader` is the actor that leads them."""

    spec: JobSpec
    owner: str
    place: Mapping[str, str | None]
    leader: Any

    @property
    def count(self) -> int:
        return self.spec.processes


class TogetherBackend(TunixBackend):
    """The backend of the first process, which waits before it passes on an error that may be that of another one."""

    def __init__(self, place: Mapping[str, str | None]) -> None:
        super().__init__(Path(place["models_dir"] or ""), Path(place["compiled_dir"] or ""))

    def begin_together(self, *, ready: bool) -> None:
        with _Patience(_FIRST_SECONDS, but=TunixRTError):
            super().begin_together(ready=ready)

    def trainer(self) -> Trainer:
        return _Patient(super().trainer())


class _Patient:
    """A Trainer with that patience."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def train(self, *given: Any, **options: Any) -> TrainOutcome:
        with _Patience(_FIRST_SECONDS, but=TunixRTError):
            return self._trainer.train(*given, **options)


class _Patience:
    """Within the block an error waits before it is raised; one of the class in `but` does not."""

    def __init__(self, seconds: float, *, but: type[Exception] | tuple[()] = ()) -> None:
        self._seconds, self._but = seconds, but

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, self._but):
            log.warning("%s: %s. It may be that of another process, whose end is awaited.", kind, error)
            time.sleep(self._seconds)


def take_part(part: Part, backend: TunixBackend, index: int) -> None:
    """Train as the process of this index, which has joined the others. Raises the error of one that is not the first;
    how the first one ended is told to the leader.
    """
    import ray

    from tunixrt_core.evaluation.questions.execution import LoadedModels
    from tunixrt_core.jobs.kinds.trainings import work_along
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.jobs.work import run_job

    place = Workplace(backend, LoadedModels(backend), part.place["webhook"], part.owner)
    if index > 0:
        with _Patience(_OTHER_SECONDS):
            work_along(part.spec, place, StopRequest())
        return

    def tell(news: Mapping[str, Any]) -> None:
        ray.get(part.leader.tell.remote(dict(news)))

    ended = outcome(part.spec, lambda: run_job(part.spec, place, stop=StopRequest(), tell=tell))
    ray.get(part.leader.say_ended.remote(ended))


class Member:
    """The actor of one process."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._backend = TogetherBackend(part.place)

    def meet(self) -> str:
        """Import what takes long, so that all join at about the same time. Address and a free port of its machine."""
        import ray

        self._backend.trainer()
        host = ray.util.get_node_ip_address()
        with socket.socket() as found:
            found.bind((host, 0))
            return f"{host}:{found.getsockname()[1]}"

    def train(self, index: int, coordinator: str) -> None:
        self._backend.join(coordinator, self._part.count, index, only_there=True)
        take_part(self._part, self._backend, index)


def lead(part: Part, worker: News, takes: Mapping[str, float]) -> None:
    """Reserve the machines, have them train, and release them. Raises WorkerLost, Stopped, JobFailed."""
    import ray

    group = _reserved(part, worker, takes)
    try:
        members = _members(part, takes, group)
        try:
            _train(part, worker, members)
        finally:
            for member in members:
                ray.kill(member)
    finally:
        ray.util.remove_placement_group(group)


def _reserved(part: Part, worker: News, takes: Mapping[str, float]) -> Any:
    """A placement group of as many machines, all at once: two runs must not each hold half of what they need."""
    import ray

    group = ray.util.placement_group([dict(takes)] * part.count, strategy="STRICT_SPREAD")
    begun, said = time.monotonic(), ""
    with ExitStack() as unless_reserved:
        unless_reserved.callback(ray.util.remove_placement_group, group)
        while not group.wait(_LOOK_SECONDS):
            require_wanted(part.spec)
            why = Machines.of(ray.nodes(), takes, part.count).why_it_waits
            if why != said and time.monotonic() - begun > _SAY_SECONDS:
                worker.tell({"waits": why})
                said = why
        unless_reserved.pop_all()
    return group


def _members(part: Part, takes: Mapping[str, float], group: Any) -> list[Any]:
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    make = ray.remote(Member)
    options = {**as_options(takes), "max_restarts": 0}
    return [
        make.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index), **options
        ).remote(part)
        for index in range(part.count)
    ]


def _train(part: Part, worker: News, members: Sequence[Any]) -> None:
    import ray

    meetings = [member.meet.remote() for member in members]
    _follow(part, worker, meetings)
    coordinator = ray.get(meetings[0])
    parts = [member.train.remote(index, coordinator) for index, member in enumerate(members)]
    _follow(part, worker, parts)
    ray.wait(parts, num_returns=len(parts), timeout=_LAST_SECONDS)


def _follow(part: Part, worker: News, calls: Sequence[Any]) -> None:
    """Wait until all have ended, or the first one has said how. Raises WorkerLost, Stopped, JobFailed."""
    import ray

    pending = {ref: index for index, ref in enumerate(calls)}
    while pending and worker.first_ended is None:
        require_wanted(part.spec)
        for ref in ray.wait(list(pending), num_returns=len(pending), timeout=_LOOK_SECONDS)[0]:
            index = pending.pop(ref)
            try:
                ray.get(ref)
            except ray.exceptions.RayActorError as error:
                raise WorkerLost(lost_words(index, part.count, error)) from None
            except ray.exceptions.RayTaskError as error:
                raise JobFailed(failed_words(index, part.count, error.cause)) from None


def lost_words(index: int, count: int, error: Exception) -> str:
    """A sentence about a process that died."""
    return f"Process {index} of {count} on the Ray cluster was lost ({str(error).splitlines()[0]})."


def failed_words(index: int, count: int, error: BaseException) -> str:
    """A sentence about a process that failed."""
    said = str(error).strip().partition("\n")[0]
    name = "" if isinstance(error, TunixRTError) else f"{type(error).__name__}: "
    return f"Process {index} of {count} failed: {name}{said}"
