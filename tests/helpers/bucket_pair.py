"""Both sides of the mirror of one training in one process: a home, a bucket in a folder, and a worker's folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import orjson

from tests.helpers.makers import make_manifest
from tunixrt_core.jobs.kinds.trainings import show_waiting, training
from tunixrt_core.jobs.ray_cluster.bucket.fetching import LocalJob, fetch
from tunixrt_core.jobs.ray_cluster.bucket.index import JobPart
from tunixrt_core.jobs.ray_cluster.bucket.pulling import Pulling
from tunixrt_core.jobs.ray_cluster.bucket.pushing import Pushing
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.sending import send
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket, Trouble
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus


class Dies(Exception):
    """The process that uses the bucket is killed."""


class MortalBucket(Bucket):
    """A bucket that counts what it moves, and whose user dies at a chosen request."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"file://{folder}", "home")
        self.moved = 0  # bytes
        self.requests = 0
        self.dies_at: int | None = None
        self.trouble: Trouble | None = None  # what each request meets

    def put(self, key: str, data: bytes) -> None:
        self._count(len(data))
        super().put(key, data)

    def get(self, key: str) -> bytes | None:
        self._count(0)
        found = super().get(key)
        self.moved += len(found or b"")
        return found

    def _count(self, size: int) -> None:
        if self.requests == self.dies_at:
            raise Dies
        if self.trouble is not None:
            raise self.trouble
        self.requests += 1
        self.moved += size


class Worker:
    """The worker's folder of one attempt. It writes what a trainer writes."""

    def __init__(self, bucket: Bucket, spec: JobSpec, folder: Path) -> None:
        self.part = JobPart(bucket, spec.id, spec.attempt)
        start = self.part.index(self.part.start_key)
        assert start is not None
        scratch = folder / f"worker-{spec.attempt}"
        self.job: LocalJob = fetch(bucket, spec, start, folder / f"cache-{spec.attempt}", scratch)
        self.folder = RunDir(self.job.scope.folder)
        self.owner = f"ray:test/{spec.id}#{spec.attempt}"
        self.pushing = Pushing(self.part, self.job, start)
        self._attempt = spec.attempt

    def state(self, status: RunStatus, train_step: int = 0) -> None:
        state = RunState(status, owner=self.owner, attempt=self._attempt, train_step=train_step, updated_at=time.time())
        self.folder.write_state(state)

    def train(self, train_step: int) -> None:
        """One more record, of more bytes than an index holds."""
        with self.folder.metrics_file.open("ab") as file:
            line = {"kind": "train", "train_step": train_step, "loss": 1.0, "time": float(train_step)}
            file.write(orjson.dumps(line).ljust(29_999) + b"\n")
        self.state(RunStatus.RUNNING, train_step)

    def save(self, step: int, keep: int = 2) -> None:
        make_checkpoint(self.folder.checkpoints / str(step))
        for old in self.folder.checkpoint_steps()[:-keep]:
            delete_checkpoint(self.folder.checkpoints / str(old))


def make_checkpoint(path: Path) -> None:
    """A folder as of orbax: complete once it has its name."""
    unfinished = path.with_name(f"{path.name}.orbax-checkpoint-tmp")
    (unfinished / "model" / "d").mkdir(parents=True)
    (unfinished / "_CHECKPOINT_METADATA").write_text("{}")
    for number in range(3):
        (unfinished / "model" / "d" / str(number)).write_bytes(f"{path.name}-{number}".encode() * 20_000)
    unfinished.rename(path)


def delete_checkpoint(path: Path) -> None:
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    path.rmdir()


def is_whole(path: Path) -> bool:
    """Whether a checkpoint has all that `make_checkpoint` writes."""
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    wanted = {f"model/d/{number}": f"{path.name}-{number}".encode() * 20_000 for number in range(3)}
    return found == {"_CHECKPOINT_METADATA": b"{}", **wanted}


class Pair:
    """A home with one run that waits, and what its server does."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.root = folder
        self.bucket = MortalBucket(folder / "bucket")
        self.home = RunDir(folder / "home" / "runs" / "r-0001")
        self.manifest = make_manifest(folder, train_steps=4)
        show_waiting(self.manifest, self.home)
        self.spec = training("r-0001", self.manifest, self.home)

    def send(self) -> None:
        send(self.bucket, self.spec, self.root / "home" / "models")

    def worker(self) -> Worker:
        return Worker(self.bucket, self.spec, self.root)

    def pulling(self) -> Pulling:
        part = JobPart(self.bucket, self.spec.id, self.spec.attempt)
        return Pulling(part, Scope.of(self.spec), self.spec.attempt)

    def lose(self) -> None:
        """The worker was lost: the next attempt waits."""
        state = self.home.read_state()
        self.home.write_state(replace(state, status=RunStatus.INTERRUPTED))
        self.spec = training("r-0001", self.manifest, self.home)
