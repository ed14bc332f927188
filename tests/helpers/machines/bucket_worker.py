"""Workers that have nothing in common with the home but a bucket.

`python -m tests.helpers.machines.bucket_worker ADDRESS HOME CACHE BACKEND` does the job of its standard input in a
process of its own, with a cache of its own, and prints its news and its end as JSON lines.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tunixrt_core.errors import JobFailed, Superseded, TunixRTError
from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.jobs.kinds.workplace import Workplace
from tunixrt_core.jobs.ray_cluster.bucket import pushing
from tunixrt_core.jobs.ray_cluster.bucket.mirror import Mirror
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.jobs.ray_cluster.bucket.work import work_by_bucket
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell, WorkerLost
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.tunix_backend.backend import TunixBackend


class ByBucket(Executor):
    """Trainings, evaluations and exports in processes of their own, each with a new cache, through a bucket alone."""

    def __init__(self, bucket: Bucket, models_dir: Path, caches: Path, backend: str = "fake") -> None:
        self._bucket, self._models_dir, self._caches, self._backend = bucket, models_dir, caches, backend
        self.closing = threading.Event()
        self.started: list[subprocess.Popen[str]] = []
        self.specs: list[JobSpec] = []
        self.left_over: list[JobSpec] = []  # of the server before
        self.said: list[dict[str, Any]] = []  # by all workers
        self.environ: Mapping[str, str] = {}
        self.cut_off = threading.Event()  # the last worker seems lost, and is not

    def takes_accelerator(self, spec: JobSpec) -> bool:
        return False

    def owner(self, spec: JobSpec) -> str:
        return f"ray:test/{spec.id}#{spec.attempt}"

    def left(self) -> list[JobSpec]:
        return self.left_over

    def close(self) -> None:
        self.closing.set()

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        mirror = Mirror(self._bucket, spec, tell, stop=stop, closing=self.closing)
        is_new = spec not in self.left_over
        if is_new:
            mirror.send(self._models_dir)
            self._begin(spec)
        with mirror:
            self._follow(spec, stop, mirror)

    def _begin(self, spec: JobSpec) -> None:
        cache = self._caches / str(len(self.started))
        command = [sys.executable, "-m", "tests.helpers.machines.bucket_worker", self._bucket.address]
        process = subprocess.Popen(
            [*command, self._bucket.home, str(cache), self._backend, self.owner(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, **self.environ},
        )
        assert process.stdin is not None
        process.stdin.write(spec.to_json().decode())
        process.stdin.close()
        self.started.append(process)
        self.specs.append(spec)

    def _follow(self, spec: JobSpec, stop: StopRequest, mirror: Mirror) -> None:
        """Follow the last process. Raises WorkerLost where it ends without saying so, or seems to (`cut_off`)."""
        lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self.started[-1], lines), daemon=True).start()
        while not self.closing.is_set():
            if stop.is_set():
                (Path(spec.body["folder"]) / "stop").touch()
            if self.cut_off.is_set():
                self.cut_off.clear()
                raise WorkerLost("The network of the worker is gone.")
            try:
                told = lines.get(timeout=0.05)
            except queue.Empty:
                continue
            if told is None:
                raise WorkerLost("The process of the worker was killed.")
            if "news" in told:
                mirror.tell(told["news"])
            elif told["ended"] == "superseded":
                raise Superseded(spec.id, spec.attempt, spec.attempt + 1)
            elif told["ended"]:
                raise JobFailed(told["ended"])
            else:
                return

    def _read(self, process: subprocess.Popen[str], lines: queue.SimpleQueue[dict[str, Any] | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(json.loads(line))
            lines.put(self.said[-1])
        lines.put(None)

    def kill(self) -> None:
        """SIGKILL of the last worker."""
        self.started[-1].send_signal(signal.SIGKILL)


def main() -> None:
    address, home, cache, backend_name, owner = sys.argv[1:]
    spec = JobSpec.from_json(sys.stdin.buffer.read())
    pushing.TICK_SECONDS = 0.2
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(value: Any) -> None:
        print(json.dumps(value), file=out, flush=True)

    def place(models_dir: Path, compiled_dir: Path) -> Workplace:
        fake = FakeBackend(step_seconds=0.05)
        backend: Backend = fake if backend_name == "fake" else TunixBackend(models_dir, compiled_dir)
        return Workplace(backend, LoadedModels(backend), owner=owner)

    ended = ""
    try:
        work_by_bucket(
            spec,
            Bucket(address, home),
            Path(cache),
            place,
            stop=StopRequest(),
            tell=lambda news: say({"news": dict(news)}),
        )
    except TunixRTError as error:
        ended = "superseded" if isinstance(error, Superseded) else str(error)
    say({"ended": ended})


if __name__ == "__main__":
    main()
