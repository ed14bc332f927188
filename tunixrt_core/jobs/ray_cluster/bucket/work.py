"""A job in a home of its own, by a bucket."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tunixrt_core.errors import JobFailed, Superseded, TunixRTError
from tunixrt_core.jobs.kinds.workplace import Workplace
from tunixrt_core.jobs.ray_cluster.bucket.fetching import LocalJob, fetch
from tunixrt_core.jobs.ray_cluster.bucket.index import Index, JobPart
from tunixrt_core.jobs.ray_cluster.bucket.pushing import PATIENCE_SECONDS, TICK_SECONDS, Pushing
from tunixrt_core.jobs.ray_cluster.bucket.store import Away, Bucket, Trouble
from tunixrt_core.jobs.spec import JobSpec, Tell
from tunixrt_core.jobs.work import run_job
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.files.atomic import scratch_beside
from tunixrt_core.util.files.private import make_private

log = logging.getLogger(__name__)

PlaceOf = Callable[[Path, Path], Workplace]  # from the folders of models and of compiled programs


def cache_of(home: str, environ: Mapping[str, str] = os.environ) -> Path:
    """What the workers of this machine keep of a home: models, compiled programs, and jobs while they run."""
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tunixrt" / home


def work_by_bucket(
    spec: JobSpec, bucket: Bucket, cache: Path, place_of: PlaceOf, *, stop: StopRequest, tell: Tell
) -> None:
    """Do a job as `run_job` does, in a folder that is removed at the end: what it reads comes from the bucket, what it
    writes goes there.

    Raises the error of the job, with paths as its home has them; JobFailed where the bucket cannot be used.
    """
    part = JobPart(bucket, spec.id, spec.attempt)
    try:
        make_private(cache)
        with scratch_beside(cache / "job") as scratch:
            start, job = _fetched(part, spec, cache, scratch)
            _Work(part, job, start).do(cache, place_of, stop, tell)
    except Trouble as error:
        raise JobFailed(
            f"{error} This is on the machine of the worker. Correct it there and start the job again."
        ) from None


def _fetched(part: JobPart, spec: JobSpec, cache: Path, scratch: Path) -> tuple[Index, LocalJob]:
    """What the job needs, in a folder of this try; waits up to an hour for a bucket that is away."""
    until = time.monotonic() + PATIENCE_SECONDS
    for number in count():
        try:
            start = _start(part, spec)
            return start, fetch(part.bucket, spec, start, cache, scratch / str(number))
        except Away as error:
            if time.monotonic() > until:
                raise
            log.warning("%s: %s It is tried again.", spec.id, error)
            time.sleep(TICK_SECONDS)
    raise AssertionError("the numbers do not end")


def _start(part: JobPart, spec: JobSpec) -> Index:
    control = part.control()
    if control is not None and control.attempt > spec.attempt:
        raise Superseded(spec.id, spec.attempt, control.attempt)
    if (start := part.index(part.start_key)) is None:
        raise JobFailed(f"The bucket {part.bucket.address} holds nothing of {spec.id}. Start it again.")
    return start


@dataclass(frozen=True, slots=True)
class _Work:
    part: JobPart
    job: LocalJob
    start: Index

    def do(self, cache: Path, place_of: PlaceOf, stop: StopRequest, tell: Tell) -> None:
        held: list[Mapping[str, Any]] = []  # the result, which the server looks for at once

        def send(news: Mapping[str, Any]) -> None:
            (held.append if "report" in news else tell)(self.job.words.news(news))

        pushing = Pushing(self.part, self.job, self.start)
        pushing.begin()
        try:
            run_job(self.job.spec, place_of(self.job.models_dir, cache / "compiled"), stop=stop, tell=send)
        except Superseded:
            raise
        except TunixRTError as error:
            raise JobFailed(self.job.words.text(str(error))) from error
        finally:
            self._finish(pushing, cache)
        for news in held:
            tell(news)

    def _finish(self, pushing: Pushing, cache: Path) -> None:
        """Send what is left; where that fails, keep the folder of the run on this machine."""
        try:
            pushing.finish()
        except JobFailed as error:
            kept = cache / "not-sent" / f"{self.job.spec.id}-{self.job.spec.attempt}"
            kept.parent.mkdir(exist_ok=True)
            shutil.rmtree(kept, ignore_errors=True)  # of an export, whose attempts have no numbers
            self.job.scope.folder.rename(kept)
            raise JobFailed(f"{error} It is kept on the machine of the worker, in {kept}.") from None
