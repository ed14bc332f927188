"""Worker processes with limits of time and memory, for work that may hang.

A library, a regular expression, a template that came with a model, or a system call on a stuck network folder: each is
done in a process of its own kind, and what hangs, crashes or grows costs one answer.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import orjson

from tunixrt_core.errors import TunixRTError
from tunixrt_core.util.processes.worker import OUT_OF_MEMORY

_DEATH_SECONDS = 5.0
_undead: list[subprocess.Popen[bytes]] = []
START_SECONDS = 120  # the worker imports sympy; on a busy machine that takes a while


class WorkerPool:
    """Answers pairs of texts in worker processes. The processes start with the first pair and end with `close`.

    `target` is `module:function`, a function of two texts that returns a word. `seconds` and `megabytes` are for one
    pair; the words `timeout`, `memory` and `crash` stand for a pair whose process was killed or died.
    """

    def __init__(self, target: str, *, workers: int | None = None, seconds: float = 5.0, megabytes: int = 1024) -> None:
        count = workers or max(1, min(4, os.cpu_count() or 1))
        self._idle: deque[_Worker] = deque(_Worker(target, seconds, megabytes) for _ in range(count))
        self._all = tuple(self._idle)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._closed = threading.Event()

    def submit(self, given: str, reference: str) -> Future[str]:
        """Queue one pair; the future holds the word."""
        return self._threads.submit(self._judge, given, reference)

    def judge(self, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
        """A word for every pair, in order; only a few pairs are under way at once."""
        under_way: deque[Future[str]] = deque()
        for pair in pairs:
            under_way.append(self.submit(*pair))
            if len(under_way) >= 8 * len(self._all):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    def close(self) -> None:
        """End all processes, whatever they are at."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(wait=True)

    def _judge(self, given: str, reference: str) -> str:
        worker = self._idle.popleft()  # as many threads as workers: one is always there
        try:
            return worker.ask(given, reference, self._closed)
        finally:
            self._idle.append(worker)


class _Worker:
    """One process, started when first asked and again after it died."""

    def __init__(self, target: str, seconds: float, megabytes: int) -> None:
        self._command = [sys.executable, "-m", "tunixrt_core.util.processes.worker", target, str(megabytes)]
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        # close() kills from another thread while this one may be starting a process
        self._lock = threading.Lock()

    def ask(self, given: str, reference: str, closed: threading.Event) -> str:
        process = self._started(closed)
        if process is None:
            return "crash"
        assert process.stdin is not None
        try:
            process.stdin.write(orjson.dumps([given, reference]) + b"\n")
            process.stdin.flush()
            answer = _line(process, self._seconds)
        except (BrokenPipeError, ValueError):  # it died between two rows, or close() was faster
            answer = b""
        if answer is None:
            self.kill()
            return "timeout"
        if not answer:
            code = process.wait()
            self.kill()
            return "memory" if code == OUT_OF_MEMORY else "crash"
        return str(orjson.loads(answer))

    def kill(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            try:
                process.wait(_DEATH_SECONDS)
            except subprocess.TimeoutExpired:
                _undead.append(process)  # in a system call that no signal ends; it is left to the system
            for stream in (process.stdin, process.stdout):
                _close(stream.close if stream else None)

    def _started(self, closed: threading.Event) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if closed.is_set():
                return None
            if self._process is not None:
                return self._process
            # the worker finds what this process finds, tests included
            path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
            self._process = process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": path},
            )
        if not _line(process, START_SECONDS) and not closed.is_set():
            self.kill()
            raise TunixRTError(
                f"The process for {self._command[3]} does not start. `{' '.join(self._command)}` shows why, such as a "
                "missing package."
            )
        return process


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """What the process wrote up to a line end; empty where it ended, None where the time was up first."""
    assert process.stdout is not None
    until, read = time.monotonic() + seconds, b""
    while not read.endswith(b"\n"):
        try:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(process.stdout.fileno(), 1 << 16)
        except (OSError, ValueError):  # closed from outside
            return b""
        if not chunk:
            return b""
        read += chunk
    return read


def _close(close: Callable[[], None] | None) -> None:
    try:
        if close is not None:
            close()
    except BrokenPipeError:
        return  # what was still to be written has no reader any more
