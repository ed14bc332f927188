"""Lock of the accelerator over all processes of a home."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tunixrt_core.errors import Busy
from tunixrt_core.util import owners
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.files.space import cannot_write
from tunixrt_core.util.owners import Heartbeat

_POLL_SECONDS = 0.5
_VERBS = {
    "train": "trains",
    "evaluate": "evaluates",
    "export": "exports",
    "dry run": "tries",
    "playground": "answers a question to",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of the accelerator: a run, the kind of its job, since when, in which process."""

    run: str
    kind: str  # a key of _VERBS
    since: float  # Unix seconds
    owner: str  # owners.this_owner()

    @property
    def pid(self) -> int | None:
        """The number of its process; None where that is on another machine."""
        return owners.local_pid(self.owner)

    @property
    def where(self) -> str:
        """`process 4711`, also `process 4711 on another machine`."""
        return owners.words(self.owner)

    @property
    def ours(self) -> bool:
        """Whether this process does the job, or a worker that it follows."""
        return owners.is_ours(self.owner) or owners.is_ray(self.owner)

    def __str__(self) -> str:
        """`process 4711, which trains r-0001 since 14:05`."""
        since = datetime.fromtimestamp(self.since).strftime("%H:%M")
        return f"{self.where}, which {_VERBS.get(self.kind, self.kind)} {self.run} since {since}"


class Accelerator:
    """The lock of one home. The operating system frees it when its holder dies, however that happens."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self, run: str, kind: str) -> Hold | None:
        """Hold the accelerator from now on; None if it is held. Raises OutputError if the lock cannot be created."""
        try:
            make_private(self._file.parent)
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(self._file, error, "Fix the permissions of the home.") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        _write(handle, json.dumps(asdict(Holder(run, kind, time.time(), owners.this_owner()))))
        return Hold(handle)

    def holder(self) -> Holder | None:
        """The holder according to the file: reading it never takes the lock from a process that wants it."""
        try:
            found = Holder(**json.loads(self._file.read_text()))
            beat = self._file.stat().st_mtime
        except (OSError, ValueError, TypeError):  # missing, free, or half-written at this moment
            return None
        return found if owners.alive(found.owner, beat) else None

    @contextmanager
    def hold(
        self, run: str, kind: str, *, wait: bool, on_wait: Callable[[Holder | None], None] = lambda holder: None
    ) -> Iterator[None]:
        """Hold it within the block. If it is held already, wait for it, or raise Busy, which names the holder."""
        while (held := self.take(run, kind)) is None:
            holder = self.holder()
            if not wait:
                raise Busy(
                    f"The accelerator is held by {holder or 'another process'}. Wait for its end, or use --wait."
                )
            on_wait(holder)
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            held.release()


class Hold:
    """The accelerator while it is held."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._heartbeat = Heartbeat(self._beat)

    def _beat(self) -> None:
        with suppress(OSError):  # the lock is held all the same
            os.utime(self._handle)

    def release(self) -> None:
        self._heartbeat.end()
        _write(self._handle, "")
        os.close(self._handle)  # which frees the lock


def _write(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
