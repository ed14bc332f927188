"""One training by Ray Train's JaxTrainer, which reserves a whole TPU slice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from tunixrt_core.errors import JobFailed
from tunixrt_core.jobs.ray_cluster.news import News
from tunixrt_core.jobs.ray_cluster.several.machines import Machines, require_wanted
from tunixrt_core.jobs.ray_cluster.several.together import Part, TogetherBackend, failed_words, lost_words, take_part
from tunixrt_core.jobs.spec import WorkerLost

_LOOK_SECONDS = 0.5
_SAY_SECONDS = 15.0  # that machines may take to be reserved before the run says that it waits
_LAST_SECONDS = 60.0  # that the trainer has to end after the first process


def lead_trainer(part: Part, worker: News, takes: Mapping[str, float], told: Mapping[str, str | None]) -> None:
    """Have a JaxTrainer start the processes, and wait for them. Raises WorkerLost, Stopped, JobFailed.

    `told`: topology and accelerator type of the slice, which are None for CPUs, and where the trainer keeps its files.
    """
    import ray

    begun, said = time.monotonic(), ""
    trainer = _trainer(part, takes, told)
    fit = ThreadPoolExecutor(1, "tunixrt-jax-trainer").submit(trainer.fit)
    while not wait([fit], timeout=_LOOK_SECONDS).done and worker.first_ended is None:
        require_wanted(part.spec)
        machines = Machines.of(ray.nodes(), takes, part.count)
        waits = time.monotonic() - begun > _SAY_SECONDS and (not machines.are_enough or _is_reserving())
        if worker.is_waiting and waits and machines.why_it_waits != said:
            said = machines.why_it_waits
            worker.tell({"waits": said})
    if worker.first_ended is None:
        _raise_error(fit.exception(), part.count)
    wait([fit], timeout=_LAST_SECONDS)


def _is_reserving() -> bool:
    """Whether a group of machines waits for free ones: the trainer does not say whether it waits or starts."""
    import ray

    return any(group["state"] == "PENDING" for group in ray.util.placement_group_table().values())


def _raise_error(error: BaseException | None, count: int) -> None:
    """Raises WorkerLost where a process died, JobFailed where one failed."""
    from ray.train import WorkerGroupError
    from ray.train.v2._internal.exceptions import UserExceptionWithTraceback

    if not isinstance(error, WorkerGroupError):
        raise JobFailed(f"Ray Train ended before the run. {error or ''}".strip())
    failures = error.worker_failures
    for index, failed in failures.items():
        if not isinstance(failed, UserExceptionWithTraceback):
            raise WorkerLost(lost_words(index, count, failed))
    index, failed = min(failures.items(), key=lambda item: item[0])
    raise JobFailed(failed_words(index, count, failed._base_exc))


def _trainer(part: Part, takes: Mapping[str, float], told: Mapping[str, str | None]) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.jax import JaxTrainer

    is_slice = told["topology"] is not None
    scaling = ScalingConfig(
        num_workers=part.count,
        use_tpu=is_slice,
        topology=told["topology"],
        accelerator_type=told["accelerator_type"],
        resources_per_worker=dict(takes),
        placement_strategy="SPREAD" if is_slice else "STRICT_SPREAD",
    )
    run = RunConfig(
        name=part.spec.id,
        storage_path=told["storage_path"],
        failure_config=FailureConfig(max_failures=0, max_preemption_failures=0),  # the queue decides on a resume
        worker_runtime_env={"env_vars": {"JAX_PLATFORMS": "tpu" if is_slice else "cpu"}},
    )
    return JaxTrainer(partial(_loop, part), jax_config=_config(), scaling_config=scaling, run_config=run)


def _loop(part: Part) -> None:
    """The work of each process, which JaxTrainer has joined to the others."""
    import ray.train

    backend = TogetherBackend(part.place)
    backend.joined(part.count)
    take_part(part, backend, ray.train.get_context().get_world_rank())


def _config() -> Any:
    """The JaxConfig that joins the processes, also on CPUs, has the first one listen on its own address alone, and
    does not wait for those that it ends.
    """
    from ray.train.v2.jax.config import JaxConfig, _JaxBackend

    from tunixrt_core.tunix_backend.train.processes import listen_only_there

    class Backend(_JaxBackend):  # type: ignore[misc]
        def on_start(self, worker_group: Any, backend_config: JaxConfig) -> None:
            worker_group.execute(listen_only_there)
            super().on_start(worker_group, backend_config)

        def on_shutdown(self, worker_group: Any, backend_config: JaxConfig) -> None:
            """Nothing: all are ended at once. Ray's waits up to 30 seconds for those that a dead one keeps."""

    class Config(JaxConfig):  # type: ignore[misc]
        @property
        def backend_cls(self) -> type[Backend]:
            return Backend

    return Config(use_tpu=True)
