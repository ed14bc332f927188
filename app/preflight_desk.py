"""Preflights that pages ask for: made in one thread of this process, and kept until the manifest or its data change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from tunixrt_core.manifest import RunManifest
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.preflight import Preflight

_KEPT = 16


@dataclass(slots=True)
class PreflightJob:
    """One preflight on its way. `done` and `total` count rows."""

    future: Future[Preflight] = field(default_factory=Future)
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    def wait(self, seconds: float) -> bool:
        """Whether it is over, now or within this time."""
        try:
            self.future.exception(seconds)
        except TimeoutError:
            return False
        except CancelledError:
            pass
        return True


class PreflightDesk:
    """Asked twice for the same manifest it makes one preflight. One that is not begun gives way to a newer one."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tunixrt-preflight")
        self._lock = threading.Lock()  # pages of several sessions ask at once
        self._jobs: OrderedDict[tuple[str, bool], PreflightJob] = OrderedDict()

    def ask(self, manifest: RunManifest, *, is_new: bool) -> PreflightJob:
        key = _key(manifest, is_new)
        with self._lock:
            known = self._jobs.get(key)
            if known is not None and not known.future.cancelled():
                self._jobs.move_to_end(key)
                return known
            for job in self._jobs.values():
                job.future.cancel()  # has no effect on one that runs or is over
            job = self._jobs[key] = PreflightJob()
            self._jobs.move_to_end(key)
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            job.future = self._pool.submit(self._make, manifest, is_new, job)
        return job

    def forget(self, manifest: RunManifest, *, is_new: bool) -> None:
        """Check again when next asked."""
        with self._lock:
            self._jobs.pop(_key(manifest, is_new), None)

    def _make(self, manifest: RunManifest, is_new: bool, job: PreflightJob) -> Preflight:
        def tell(done: int, total: int) -> None:
            job.done, job.total = done, total

        return self._pipeline.preflight(manifest, is_new=is_new, on_progress=tell)


def _key(manifest: RunManifest, is_new: bool) -> tuple[str, bool]:
    # the name of a run changes nothing, and is typed letter by letter
    return manifest.model_copy(update={"name": "run"}).content_hash, is_new


_desks: WeakKeyDictionary[Pipeline, PreflightDesk] = WeakKeyDictionary()
_desks_lock = threading.Lock()


def desk_of(pipeline: Pipeline) -> PreflightDesk:
    """The one desk of a Pipeline."""
    with _desks_lock:
        return _desks.setdefault(pipeline, PreflightDesk(pipeline))
