"""The executor of TUNIXRT_EXECUTOR, and a training of the command by it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunixrt_core.jobs.spec import Executor
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.runs.record import RunState
    from tunixrt_core.settings import Settings
    from tunixrt_core.training.backend import Backend
    from tunixrt_core.training.stop import StopRequest

_LOOK_SECONDS = 0.25


def elsewhere(settings: Settings, address: str) -> Callable[[Executor], Executor]:
    """What makes the executor of this TUNIXRT_EXECUTOR around that of this process. Raises InvalidSettings."""
    from tunixrt_core.jobs.ray_cluster.address import Cluster, require_ray, require_token_mode
    from tunixrt_core.jobs.ray_cluster.bucket.store import bucket_of
    from tunixrt_core.jobs.ray_cluster.executor import RayExecutor

    cluster = Cluster.parse(address)
    require_token_mode(os.environ)
    require_ray()
    bucket = bucket_of(settings, samplers=cluster.samplers)
    return lambda here: RayExecutor(settings, cluster, here, bucket)


class NoRecords:
    """The rows of runs that the command trains: there are none."""

    def mirror(self, run_id: str, **changes: Any) -> None: ...


def train_elsewhere(
    settings: Settings,
    address: str,
    manifest: RunManifest,
    folder: RunDir,
    backend: Backend,
    *,
    processes: int,
    stop: StopRequest,
    allow: Iterable[str] = (),
) -> RunState:
    """Train on the cluster of this TUNIXRT_EXECUTOR, to the end or until `stop` is set. Raises InvalidSettings."""
    from tunixrt_core.jobs.queue import JobManager

    jobs = JobManager(NoRecords(), backend, webhook=settings.webhook, elsewhere=elsewhere(settings, address))
    try:
        name = folder.path.name
        jobs.submit_training(name, manifest, folder, processes=jobs.executor.processes(processes), allow=allow)
        while not jobs.wait(_LOOK_SECONDS):
            if stop.is_set():
                jobs.stop(name, stop.why)
    finally:
        jobs.close()
    return folder.state()
