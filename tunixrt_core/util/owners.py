"""Owners of work: words for a process of this machine or of another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import NamedTuple, Self

from tunixrt_core.util.hashing import content_hash
from tunixrt_core.util.processes.identity import process_alive, this_process

BEAT_SECONDS = 10.0  # between two signs of life
LOST_SECONDS = 60.0  # without one, after which an owner on another machine is taken for dead


class Attempt(NamedTuple):
    """One start of a run or an evaluation: whose it is, and its number, which grows with each start."""

    owner: str
    number: int


def this_owner() -> str:
    """The word for this process: `pid:4711:38921:<boot>:<machine>`."""
    return f"pid:{this_process()}:{this_machine()}"


def is_ours(owner: str) -> bool:
    """Whether an owner is this process."""
    return owner == this_owner()


def alive(owner: str, beat: float, now: float | None = None) -> bool:
    """Whether an owner still has its work. `beat` is its last sign of life, in Unix seconds.

    The system knows a process of this machine, so that its last sign of life does not matter. One of another machine,
    and a worker of a Ray cluster, is alive until a minute after it; so the clocks of machines with one home must agree
    to a few seconds.
    """
    if _is_remote(owner):
        return (time.time() if now is None else now) - beat < LOST_SECONDS
    return process_alive(_process(owner))


def local_pid(owner: str) -> int | None:
    """The number of an owner's process; None where that is of another machine."""
    number = _process(owner).partition(":")[0]
    return None if _is_remote(owner) or not number.isdigit() else int(number)


def words(owner: str) -> str:
    """`process 4711`, `process 4711 on another machine`, or `Ray worker r-0001`."""
    if is_ray(owner):
        return f"Ray worker {owner.rpartition('/')[2].partition('#')[0]}"
    where = " on another machine" if _is_remote(owner) else ""
    return f"process {_process(owner).partition(':')[0]}{where}"


def is_ray(owner: str) -> bool:
    """Whether an owner is a worker of a Ray cluster: `ray:<namespace>/<job>#<attempt>`."""
    return owner.startswith("ray:")


def _process(owner: str) -> str:
    """The name of its process, as of `processes`; a word of an older version is that name alone."""
    return owner.removeprefix("pid:").rpartition(":")[0] if owner.startswith("pid:") else owner


def _is_remote(owner: str) -> bool:
    if not owner.startswith("pid:"):
        return is_ray(owner)
    process, _, machine = owner.rpartition(":")
    boot = this_process().rpartition(":")[2]
    # a container that was made again has another name on the same boot, and its earlier processes are known to be gone
    return machine != this_machine() and not (boot and process.endswith(f":{boot}"))


@lru_cache(maxsize=1)
def this_machine() -> str:
    """A hash that tells machines apart and survives a boot; of containers without an id of their own, by name."""
    known = ""
    with suppress(OSError):
        known = Path("/etc/machine-id").read_text().strip()
    return content_hash([known, gethostname()])[:12]


class Heartbeat:
    """Calls `beat` in a thread, every ten seconds or as often as it says, until the end of the block, or `end`."""

    def __init__(self, beat: Callable[[], None], every: Callable[[], float] = lambda: BEAT_SECONDS) -> None:
        self._beat = beat
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tunixrt-heartbeat", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._ended.wait(self._every()):
            self._beat()

    def end(self) -> None:
        """Wait for the last call, and make no other."""
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
