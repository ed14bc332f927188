"""One job by a bucket, in the server: inputs, mirror and end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tunixrt_core.errors import JobFailed, OutputError, Stopped, Superseded
from tunixrt_core.jobs.ray_cluster.bucket.chunks import Missing
from tunixrt_core.jobs.ray_cluster.bucket.index import JobPart
from tunixrt_core.jobs.ray_cluster.bucket.pulling import TICK_SECONDS, Pulling
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.sending import send
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket, Refused, Trouble
from tunixrt_core.jobs.ray_cluster.bucket.tidying import tidy
from tunixrt_core.jobs.spec import JobSpec, Tell, WorkerLost
from tunixrt_core.training.stop import StopRequest

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3600.0  # that the begin and the end of a job wait for a bucket that is away
_ADVICE = (
    "Correct TUNIXRT_BUCKET, or the credentials that the provider's library reads on every machine, such as "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)


class Mirror:
    """Within the block, the folder of a job in the home follows its worker."""

    def __init__(self, bucket: Bucket, spec: JobSpec, tell: Tell, *, stop: StopRequest, closing: threading.Event):
        """`closing`: the server ends; the worker continues, and the next server follows it."""
        self._bucket, self._spec, self._tell = bucket, spec, tell
        self._stop, self._closing = stop, closing
        scope = Scope.of(spec)
        self._pulling = Pulling(JobPart(bucket, spec.id, spec.attempt), scope, spec.attempt)
        self._one = threading.Lock()  # round at a time
        self._trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tunixrt-bucket", daemon=True)

    def send(self, models_dir: Path) -> None:
        """Put what the worker needs. Waits for a bucket that is away.

        Raises JobFailed for one that refuses this server, Stopped where the job is stopped meanwhile.
        """
        (Scope.of(self._spec).work_folder / "stop").unlink(missing_ok=True)

        def put() -> None:
            self._require_wanted()
            try:
                send(self._bucket, self._spec, models_dir, self._require_wanted)
            except Refused as error:
                raise JobFailed(f"{error} {_ADVICE}") from None

        self._until_done(put)

    def catch_up(self) -> None:
        """Bring all that the worker has put until now. Raises JobFailed, Superseded."""
        self._until_done(self._round)

    def tell(self, news: Mapping[str, Any]) -> None:
        """Pass on news of the worker; a result once its files are here."""
        if "report" in news:
            self.catch_up()
        self._tell(news)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._closing.is_set() or isinstance(error, Superseded | Stopped):
            return
        self.catch_up()
        if not isinstance(error, WorkerLost):
            self._tidy()

    def _tidy(self) -> None:
        try:
            tidy(self._bucket, self._spec)
        except (Trouble, Missing, OSError) as error:
            log.warning("%s: %s What the job left in the bucket is deleted after its next one.", self._spec.id, error)

    def _work(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            try:
                self._try(self._round)
            except Superseded as error:
                log.warning("%s", error)
                return

    def _round(self) -> None:
        with self._one:
            changed = self._pulling.tick()
        if changed:
            self._tell({})

    def _until_done(self, act: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._try(act):
            if time.monotonic() > until:
                raise JobFailed(f"{self._trouble} Start the job again when the bucket is back.")
            if self._closing.wait(TICK_SECONDS):
                raise Stopped(f"{self._spec.id}: the server ended while the bucket was away.")

    def _require_wanted(self) -> None:
        if self._closing.is_set() or self._stop.is_set():
            raise Stopped(f"{self._spec.id}: it was stopped while the bucket was used.")

    def _try(self, act: Callable[[], object]) -> bool:
        """Whether it was done. Trouble is told once, and tried again."""
        try:
            act()
        except Missing:  # the worker was quicker
            return False
        except (Trouble, OSError, OutputError) as error:
            if not self._trouble:
                log.warning("%s: %s It is tried again.", self._spec.id, error)
            self._trouble = str(error)
            return False
        if self._trouble:
            self._trouble = ""
            log.warning("%s: the bucket %s is reached again.", self._spec.id, self._bucket.address)
        return True
