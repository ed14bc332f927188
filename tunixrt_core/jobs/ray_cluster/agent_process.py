"""The process of the agent, as the server sees it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.util.files.private import make_private

_CONNECT_SECONDS = 60.0  # that an agent has to connect; Ray's own limit is minutes


class AgentProcess:
    """The agent, and the lines that it sends, per job. A line of None says that it has ended."""

    def __init__(self, hello: Mapping[str, Any], log_file: Path) -> None:
        make_private(log_file.parent)
        command = [sys.executable, "-m", "tunixrt_core.jobs.ray_cluster.agent"]
        with log_file.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
            )
        self._lock = threading.Lock()
        self._lines: dict[str, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._ended = False
        self._connecting = threading.Timer(_CONNECT_SECONDS, self._process.kill)
        self._connecting.daemon = True
        self._connecting.start()
        self._send(hello)
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    def start(self, spec: JobSpec, *, seen: int, is_new: bool) -> queue.SimpleQueue[dict[str, Any] | None]:
        """The lines about a job from now on."""
        lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        with self._lock:
            self._lines[spec.id] = lines
            if self._ended:
                lines.put(None)
        self._send({"start": spec.to_json().decode(), "seen": seen, "new": is_new})
        return lines

    def drop(self, spec: JobSpec) -> None:
        """End the worker of a job that is not to begin."""
        self._send({"drop": spec.id})

    def end(self) -> None:
        """End it, for the end of this process."""
        self._process.kill()
        self._process.wait()

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(line) + "\n")
                self._process.stdin.flush()
            except OSError:
                pass  # it has ended, which its reader tells

    def _read(self, stdout: IO[str]) -> None:
        for text in stdout:
            line = json.loads(text)
            if "connected" in line:
                self._connecting.cancel()
                continue
            with self._lock:
                is_last = "ended" in line or "lost" in line
                found = self._lines.pop(line["id"], None) if is_last else self._lines.get(line["id"])
            if found is not None:
                found.put(line)
        self._connecting.cancel()
        with self._lock:
            self._ended = True
            for lines in self._lines.values():
                lines.put(None)
