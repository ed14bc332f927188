"""Dry runs in the queue: state and findings."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

from tunixrt_core.jobs.queue import JobManager, WaitingJob
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import execute_dry_run
from tunixrt_core.training.trainer import DryRunReport, DryRunState
from tunixrt_core.util.latest import Latest

KIND = "dry run"


class DryRuns:
    """The dry runs of this process, in the queue of the accelerator."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._states: Latest[DryRunState] = Latest(KIND)

    def start(self, manifest: RunManifest, scratch: Path) -> DryRunState:
        """Queue a dry run; a waiting or running one of the same manifest is returned instead. It works in `scratch`."""
        state, is_new = self._states.add(
            lambda: DryRunState(f"dry-{uuid.uuid4().hex[:8]}", manifest.content_hash),
            unless=lambda known: known.manifest_hash == manifest.content_hash,
        )
        if is_new:
            self._jobs.submit(
                WaitingJob(state.id, state.id, KIND),
                lambda stop: self._work(state.id, manifest, scratch, stop),
                dropped=lambda: self._end(state.id, RunStatus.STOPPED, "Stopped before it began."),
                failed=lambda message: self._end(state.id, RunStatus.FAILED, message),
            )
        return state

    def get(self, dry_run_id: str) -> DryRunState:
        """Raises NotFound for one that this process does not know (any more)."""
        return self._states.get(dry_run_id)

    def latest_of(self, manifest: RunManifest) -> DryRunState | None:
        """The last dry run of this manifest."""
        return self._states.last(lambda state: state.manifest_hash == manifest.content_hash)

    def _work(self, dry_run_id: str, manifest: RunManifest, scratch: Path, stop: threading.Event) -> None:
        def phase(name: str) -> None:
            self._states.change(dry_run_id, phase=name)

        self._states.change(dry_run_id, status=RunStatus.RUNNING)
        report = execute_dry_run(manifest, self._jobs.backend, scratch, on_phase=phase, stop=stop)
        if report is None:
            self._end(dry_run_id, RunStatus.STOPPED, "Stopped.")
        else:
            self._end(dry_run_id, RunStatus.SUCCEEDED, report=report)

    def _end(self, dry_run_id: str, status: RunStatus, message: str = "", report: DryRunReport | None = None) -> None:
        self._states.change(dry_run_id, status=status, message=message, phase="", report=report)
