"""The worker of one job, an actor of Ray."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import Superseded, TunixRTError
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.training.stop import StopRequest

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace

log = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds that a question for news waits for some


class Worker:
    """Does one job in a thread, and keeps its news for the agent that follows it, now or after a restart."""

    def __init__(
        self,
        text: bytes,
        owner: str,
        place: Mapping[str, str | None],
        sampler: Mapping[str, Any] | None = None,
        samplers: int = 1,
    ) -> None:
        """`place`: the folders of models and of compiled programs, and the webhook. `sampler`: what each of several
        samplers takes of a machine; None for a job without them.
        """
        self._spec = JobSpec.from_json(text)
        self._owner = owner
        self._place = place
        self._sampler, self._samplers = sampler, samplers
        self._news: list[Mapping[str, Any]] = []
        self._ended: dict[str, Any] | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="tunixrt-worker", daemon=True).start()

    def attempt(self) -> int:
        """The attempt of its job."""
        return self._spec.attempt

    def follow(self, since: int) -> tuple[list[Mapping[str, Any]], dict[str, Any] | None]:
        """The news after the first `since` ones, and how the job ended; waits a second for some."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._news) > since or self._ended, _PATIENCE)
            return self._news[since:], self._ended

    def _work(self) -> None:
        ended: dict[str, Any] = {"error": None, "superseded": False}
        try:
            self._do()
        except TunixRTError as error:
            ended = {"error": str(error), "superseded": isinstance(error, Superseded)}
        except Exception as error:  # the worker's outermost frame: its server must get any error
            log.exception("job for %s failed", self._spec.run)
            ended = {"error": f"{type(error).__name__}: {error}", "superseded": False}
        with self._changed:
            self._ended = ended
            self._changed.notify_all()

    def _do(self) -> None:
        from tunixrt_core.evaluation.questions.execution import LoadedModels
        from tunixrt_core.jobs.kinds.workplace import Workplace
        from tunixrt_core.jobs.ray_cluster.samplers import SpreadBackend, backend_of
        from tunixrt_core.jobs.work import run_job

        if self._place["bucket"] is not None:
            self._do_by_bucket(self._place["bucket"])
            return
        backend = backend_of(self._place)
        if self._sampler is not None:
            backend = SpreadBackend(self._place, self._sampler, self._samplers)
        place = Workplace(backend, LoadedModels(backend), self._place["webhook"], self._owner)
        run_job(self._spec, place, stop=StopRequest(), tell=self._tell)

    def _do_by_bucket(self, address: str) -> None:
        from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
        from tunixrt_core.jobs.ray_cluster.bucket.work import cache_of, work_by_bucket

        home = str(self._place["home"])
        bucket = Bucket(address, home)
        work_by_bucket(self._spec, bucket, cache_of(home), self._workplace, stop=StopRequest(), tell=self._tell)

    def _workplace(self, models_dir: Path, compiled_dir: Path) -> Workplace:
        from tunixrt_core.evaluation.questions.execution import LoadedModels
        from tunixrt_core.jobs.kinds.workplace import Workplace
        from tunixrt_core.jobs.ray_cluster.samplers import backend_of

        own = {**self._place, "models_dir": str(models_dir), "compiled_dir": str(compiled_dir)}
        backend = backend_of(own)
        return Workplace(backend, LoadedModels(backend), self._place["webhook"], self._owner)

    def _tell(self, news: Mapping[str, Any]) -> None:
        with self._changed:
            self._news.append(dict(news))
            self._changed.notify_all()
