"""The process that holds the driver of Ray for a dataset build.

`python -m tunixrt_core.jobs.ray_cluster.blocks_driver FD` talks over a socket with the process of the build: messages
are pickled, blocks and results follow as bytes, which nothing here reads. It ends when that process does.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from tunixrt_core import __version__
from tunixrt_core.errors import TunixRTError
from tunixrt_core.jobs.ray_cluster.agent import connect
from tunixrt_core.jobs.ray_cluster.blocks import work_on

_LOOK_SECONDS = 0.05
_DEATHS = 3  # workers that a block may cost beside the first one


class Driver:
    """Keeps a number of blocks in progress. Ray itself gives the block of a lost worker to another one."""

    def __init__(self, ray: Any, pipe: Connection, at_once: int) -> None:
        self._ray, self._pipe, self._at_once = ray, pipe, at_once
        self._task = ray.remote(work_on).options(num_cpus=1, max_retries=_DEATHS, scheduling_strategy="SPREAD")
        self._work: Any = None  # the reference to its one copy in the cluster
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._running: dict[Any, int] = {}  # the reference to a result -> the number of its block

    @property
    def idle(self) -> bool:
        return not (self._running or self._waiting)

    def take(self, what: str, value: Any) -> None:
        """A message of the build: the work of the blocks to come, or a block."""
        if what == "work":
            self._work = self._ray.put(value)
        else:
            self._waiting.append(value)

    def look(self) -> None:
        """Send results, and give out blocks."""
        while self._waiting and len(self._running) < self._at_once:
            number, block = self._waiting.popleft()
            self._running[self._task.remote(self._work, block, __version__)] = number
        if not self._running:
            return
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=_LOOK_SECONDS)
        for ref in ready:
            number = self._running.pop(ref)
            result, failed = self._result(ref)
            self._pipe.send((number, failed))
            if failed is None:
                self._pipe.send_bytes(result)

    def _result(self, ref: Any) -> tuple[bytes, str | None]:
        """The result of a block, or why there is none."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref), None
        except errors.RayTaskError as error:
            cause = error.cause
            return b"", str(cause) if isinstance(cause, TunixRTError) else (
                f"A worker of the Ray cluster failed ({type(cause).__name__}: {cause}). See whether every machine has "
                "the same version of tunix-rt; builders=0 in TUNIXRT_EXECUTOR keeps builds on this machine."
            )
        except errors.RayError as error:
            return b"", (
                f"{1 + _DEATHS} workers of the Ray cluster ended with the same block of traces "
                f"({str(error).splitlines()[0]}). See whether its machines have too little memory."
            )


def receive(pipe: Connection, messages: queue.SimpleQueue[tuple[str, Any]]) -> None:
    """Take all that the build sends, so that it never waits for this process to read; end with it."""
    try:
        while True:
            what, number = pipe.recv()
            if what == "work":
                packed, *arrays = [pipe.recv_bytes() for _ in range(1 + number)]
                messages.put((what, pickle.loads(packed, buffers=arrays)))
            else:
                messages.put((what, (number, pipe.recv_bytes())))
    except (EOFError, OSError):
        os._exit(0)  # the build has ended; Ray ends the tasks of a driver that is gone


def main(fileno: int) -> None:
    """Connect, then work until the build ends."""
    pipe = Connection(fileno)
    hello = pipe.recv()
    ray = connect({**hello, "namespace": "tunixrt-builds"})
    pipe.send(ray.cluster_resources().get("CPU", 0.0))
    messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=receive, args=(pipe, messages), daemon=True).start()
    driver = Driver(ray, pipe, hello["builders"])
    while True:
        if driver.idle:
            driver.take(*messages.get())
        while not messages.empty():
            driver.take(*messages.get())
        driver.look()


if __name__ == "__main__":
    main(int(sys.argv[1]))
