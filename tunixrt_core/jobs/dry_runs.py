"""Dry runs in the queue: what each of them does and found. They leave nothing behind, so memory is where they are."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from pathlib import Path

from tunixrt_core.errors import NotFound
from tunixrt_core.jobs.queue import JobManager, WaitingJob
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import execute_dry_run
from tunixrt_core.training.trainer import DryRunState

KIND = "dry run"
_KEPT = 50  # the latest; an older one that is over is forgotten


class DryRuns:
    """The dry runs of this process, through the one queue that everything on the accelerator goes through."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()  # pages and API threads ask at once
        self._states: OrderedDict[str, DryRunState] = OrderedDict()

    def start(self, manifest: RunManifest, scratch: Path) -> DryRunState:
        """Queue one; one of the same manifest that waits or runs is given back instead. `scratch` is where it works."""
        with self._lock:
            known = self._of(manifest.content_hash)
            if known is not None and not known.status.over:
                return known
            state = DryRunState(f"dry-{uuid.uuid4().hex[:8]}", manifest.content_hash)
            self._states[state.id] = state
            self._forget_old()
        self._jobs.submit(
            WaitingJob(state.id, state.id, KIND),
            lambda stop: self._work(state, manifest, scratch, stop),
            cancelled=lambda: self._end(state, RunStatus.STOPPED, "Stopped before it began."),
            failed=lambda message: self._end(state, RunStatus.FAILED, message),
        )
        return state

    def get(self, dry_run_id: str) -> DryRunState:
        """Raises NotFound for one that this process does not know (any more)."""
        with self._lock:
            if dry_run_id not in self._states:
                raise NotFound("dry run", dry_run_id, "Dry runs are forgotten when the server ends.")
            return self._states[dry_run_id]

    def latest_of(self, manifest: RunManifest) -> DryRunState | None:
        """The last one that was made of this manifest."""
        with self._lock:
            return self._of(manifest.content_hash)

    def _of(self, manifest_hash: str) -> DryRunState | None:
        return next((s for s in reversed(self._states.values()) if s.manifest_hash == manifest_hash), None)

    def _forget_old(self) -> None:
        over = [one for one, state in self._states.items() if state.status.over]
        for one in over[: max(0, len(self._states) - _KEPT)]:
            del self._states[one]

    def _work(self, state: DryRunState, manifest: RunManifest, scratch: Path, stop: threading.Event) -> None:
        def phase(name: str) -> None:
            state.phase = name

        state.status = RunStatus.RUNNING
        report = execute_dry_run(manifest, self._jobs.backend, scratch, on_phase=phase, stop=stop)
        if report is None:
            self._end(state, RunStatus.STOPPED, "Stopped.")
        else:
            state.report = report
            self._end(state, RunStatus.SUCCEEDED, "")

    def _end(self, state: DryRunState, status: RunStatus, message: str) -> None:
        state.message, state.status, state.phase = message, status, ""
