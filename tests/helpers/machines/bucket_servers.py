"""Servers of one home whose workers have a bucket and nothing else of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.machines.bucket_worker import ByBucket
from tests.helpers.makers import make_manifest
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.ray_cluster.bucket import mirror, pulling
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.tunix_backend.backend import TunixBackend

PATIENCE = 600.0


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def steps_of(rt: Pipeline, run_id: str) -> list[int]:
    return [record.train_step for record in rt.runs.folder(run_id).metrics()[0] if record.kind == "train"]


class Servers:
    """Servers of one home, one after the other, with workers of their own machines."""

    def __init__(self, folder: Path, address: str, backend: str = "fake") -> None:
        """`backend`: `fake`, or `tunix` for one that trains."""
        self.folder, self.address, self.backend = folder, address, backend
        self.settings = Settings.from_env({"TUNIXRT_HOME": str(folder / "home"), "TUNIXRT_ALLOW": str(folder)})
        self.workers = self._workers()

    def _workers(self) -> ByBucket:
        bucket = Bucket(self.address, "home")
        return ByBucket(bucket, self.settings.models_dir, self.folder / "caches", self.backend)

    def start(self) -> Pipeline:
        store = open_store(self.settings.database_url)
        settings = self.settings
        here = FakeBackend() if self.backend == "fake" else TunixBackend(settings.models_dir, settings.compiled_dir)
        return Pipeline(settings, store, JobManager(store.runs, here, elsewhere=lambda here: self.workers))

    def end(self) -> None:
        """End the workers that still run."""
        for process in self.workers.started:
            process.kill()
            process.wait()

    def start_again(self) -> Pipeline:
        """The next server, which follows the last worker."""
        before, self.workers = self.workers, self._workers()
        self.workers.started, self.workers.left_over = before.started, before.specs[-1:]
        return self.start()

    def manifest(self, train_steps: int) -> RunManifest:
        made = make_manifest(self.folder, train_steps=train_steps)
        made = change_manifest(made, {"checkpoint_every": 5, "eval_every": 10})
        return made.model_copy(update={"output_dir": str(self.settings.runs_dir / "r-0001")})


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server look into the bucket every tenth of a second."""
    monkeypatch.setattr(mirror, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(pulling, "TICK_SECONDS", 0.1)
