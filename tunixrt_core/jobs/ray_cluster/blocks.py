"""Blocks of a dataset build, worked on by the CPUs of a Ray cluster."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NoReturn, Self

from tunixrt_core import __version__
from tunixrt_core.errors import JobFailed
from tunixrt_core.jobs.ray_cluster.address import Cluster, require_entry
from tunixrt_core.util.files.private import make_private

Work = Callable[[bytes], bytes]

_LOOK_SECONDS = 0.5  # between two looks for a stop
_CONNECT_SECONDS = 60.0  # that the driver has to connect; Ray's own limit is minutes
_AHEAD = 2  # blocks that are taken for each one that is worked on


class RayBlocks:
    """A MapBlocks of dataset builds (`datasets/gates/check.py`) over the tasks of a Ray cluster.

    Ray's driver is a process of its own (`blocks_driver.py`), as it ends with the head of its cluster. It ends with the
    `with` block too, however that ends, and the tasks end with it. Nothing but blocks in progress is held, here and
    there; blocks travel by way of the driver, so that workers need neither the store nor the home.
    """

    def __init__(self, cluster: Cluster, log_file: Path, beat: Callable[[], None]) -> None:
        """`beat` is called while a block is waited for; it raises where the work must end."""
        self._cluster = cluster
        self._log_file = log_file
        self._beat = beat

    def __enter__(self) -> Self:
        """Connect. Raises JobFailed where the cluster does not let us in, or has no CPU."""
        require_entry(self._cluster)
        make_private(self._log_file.parent)
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", "tunixrt_core.jobs.ray_cluster.blocks_driver", str(theirs.fileno())]
        with self._log_file.open("ab") as log, theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for this process, which ends that one
            )
        with ExitStack() as unfinished:
            unfinished.callback(self._end)
            self._connect()
            unfinished.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, work: Work, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Raises JobFailed where the cluster is lost, or a block cannot be worked on."""
        self._send_work(work)
        rest = enumerate(blocks)
        waiting: deque[int] = deque()
        done: dict[int, bytes] = {}
        while True:
            for number, block in islice(rest, _AHEAD * self._cluster.builders - len(waiting)):
                self._send(("block", number))
                self._send_bytes(block)
                waiting.append(number)
            if not waiting:
                return
            while waiting[0] not in done:
                number, done[number] = self._take()
            yield done.pop(waiting.popleft())

    def _connect(self) -> None:
        until = time.monotonic() + _CONNECT_SECONDS
        cluster = self._cluster
        self._send({"host": cluster.host, "port": cluster.port, "builders": cluster.builders})
        while not self._poll():
            self._beat()
            if time.monotonic() > until:
                raise JobFailed(_unreachable(cluster))
        try:
            cpus: float = self._pipe.recv()
        except (EOFError, OSError):
            raise JobFailed(_unreachable(cluster)) from None
        if cpus < 1:
            raise JobFailed(
                f"The Ray cluster at {cluster.host} has no CPU for work. Start a node without `--num-cpus 0`, or "
                "set builders=0 in TUNIXRT_EXECUTOR."
            )

    def _send_work(self, work: Work) -> None:
        """Large arrays of it are sent without a copy."""
        arrays: list[pickle.PickleBuffer] = []
        packed = pickle.dumps(work, protocol=5, buffer_callback=arrays.append)
        self._send(("work", len(arrays)))
        self._send_bytes(packed)
        for array in arrays:
            self._send_bytes(array.raw())

    def _take(self) -> tuple[int, bytes]:
        while not self._poll():
            self._beat()
        try:
            number, failed = self._pipe.recv()
            if failed is not None:
                raise JobFailed(failed)
            return number, self._pipe.recv_bytes()
        except (EOFError, OSError):
            self._lost()

    def _poll(self) -> bool:
        """Whether there is something to receive, the end included."""
        try:
            return self._pipe.poll(_LOOK_SECONDS)
        except OSError:
            return True

    def _send(self, message: Any) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            self._lost()

    def _send_bytes(self, data: bytes | memoryview) -> None:
        try:
            self._pipe.send_bytes(data)
        except OSError:
            self._lost()

    def _lost(self) -> NoReturn:
        raise JobFailed(
            f"The connection to the Ray cluster at {self._cluster.host} was lost during the build, and no version was "
            "stored. Start the cluster again, then build again; logs/ray-blocks.log in the home has the details."
        ) from None

    def _end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def _unreachable(cluster: Cluster) -> str:
    return (
        f"The Ray cluster at {cluster.host}:{cluster.port} does not let a driver in. See logs/ray-blocks.log in the "
        "home, and whether the port of TUNIXRT_EXECUTOR is that of the head."
    )


def work_on(work: Work, block: bytes, version: str) -> bytes:
    """The task of a worker. Raises JobFailed for another version of this program, which could find something else."""
    if version != __version__:
        raise JobFailed(
            f"A machine of the Ray cluster has tunix-rt {__version__}, and this server {version}. Install the same "
            "version on every machine."
        )
    return work(block)
