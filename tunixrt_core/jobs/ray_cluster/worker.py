"""The worker of one job, an actor of Ray."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.jobs.ray_cluster.news import News, outcome
from tunixrt_core.jobs.ray_cluster.several.machines import as_options
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.training.stop import StopRequest

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace


class Worker(News):
    """Does one job in a thread. Of a training of several processes it leads those, and takes nothing of a machine."""

    def __init__(
        self, text: bytes, owner: str, place: Mapping[str, str | None], parts: Mapping[str, Any] | None = None
    ) -> None:
        """`place`: the folders of models and of compiled programs, and the webhook.

        `parts`, of a job that is done by several actors: what each takes of a machine, how many samplers there are, and
        what Ray's JaxTrainer is told of the slice.
        """
        super().__init__()
        self._spec = JobSpec.from_json(text)
        self._owner = owner
        self._place = place
        self._parts = parts
        threading.Thread(target=self._work, name="tunixrt-worker", daemon=True).start()

    def attempt(self) -> int:
        """The attempt of its job."""
        return self._spec.attempt

    def _work(self) -> None:
        self.end(outcome(self._spec, self._do))

    def _do(self) -> None:
        if self._parts is not None and self._spec.processes > 1:
            self._lead(self._parts)
            return
        from tunixrt_core.evaluation.questions.execution import LoadedModels
        from tunixrt_core.jobs.kinds.workplace import Workplace
        from tunixrt_core.jobs.ray_cluster.samplers import SpreadBackend, backend_of
        from tunixrt_core.jobs.work import run_job

        if self._place["bucket"] is not None:
            self._do_by_bucket(self._place["bucket"])
            return
        backend = backend_of(self._place)
        if self._parts is not None:
            backend = SpreadBackend(self._place, as_options(self._parts["takes"]), self._parts["samplers"])
        place = Workplace(backend, LoadedModels(backend), self._place["webhook"], self._owner)
        run_job(self._spec, place, stop=StopRequest(), tell=self.tell)

    def _do_by_bucket(self, address: str) -> None:
        from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
        from tunixrt_core.jobs.ray_cluster.bucket.work import cache_of, work_by_bucket

        home = str(self._place["home"])
        bucket = Bucket(address, home)
        work_by_bucket(self._spec, bucket, cache_of(home), self._workplace, stop=StopRequest(), tell=self.tell)

    def _workplace(self, models_dir: Path, compiled_dir: Path) -> Workplace:
        from tunixrt_core.evaluation.questions.execution import LoadedModels
        from tunixrt_core.jobs.kinds.workplace import Workplace
        from tunixrt_core.jobs.ray_cluster.samplers import backend_of

        own = {**self._place, "models_dir": str(models_dir), "compiled_dir": str(compiled_dir)}
        backend = backend_of(own)
        return Workplace(backend, LoadedModels(backend), self._place["webhook"], self._owner)

    def _lead(self, parts: Mapping[str, Any]) -> None:
        import ray

        from tunixrt_core.jobs.ray_cluster.several.together import Part, lead
        from tunixrt_core.jobs.ray_cluster.several.trainer import lead_trainer

        part = Part(self._spec, self._owner, self._place, ray.get_runtime_context().current_actor)
        if parts["jax_trainer"] is not None:
            lead_trainer(part, self, parts["takes"], parts["jax_trainer"])
        else:
            lead(part, self, parts["takes"])
