"""Dry runs in the queue: state and findings."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.jobs.spec import Follower, JobSpec, Kind, Tell
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import execute_dry_run
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import DryRunReport, DryRunState
from tunixrt_core.util.latest import Latest

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.jobs.queue import JobManager

KIND: Kind = "dry run"


def work(spec: JobSpec, place: Workplace, stop: StopRequest, tell: Tell) -> None:
    """Try each step of a run once; the last news is the report, or null if it was stopped."""
    tell({"phase": ""})
    report = execute_dry_run(
        RunManifest.from_dict(spec.body["manifest"]),
        place.backend,
        Path(spec.body["scratch"]),
        on_phase=lambda name: tell({"phase": name}),
        stop=stop,
    )
    tell({"report": asdict(report) if report else None})


class DryRuns(Follower):
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
            body = {"manifest": manifest.to_dict(), "scratch": str(scratch)}
            self._jobs.submit(JobSpec(state.id, state.id, KIND, body), self)
        return state

    def get(self, dry_run_id: str) -> DryRunState:
        """Raises NotFound for one that this process does not know (any more)."""
        return self._states.get(dry_run_id)

    def latest_of(self, manifest: RunManifest) -> DryRunState | None:
        """The last dry run of this manifest."""
        return self._states.last(lambda state: state.manifest_hash == manifest.content_hash)

    # --- the follower of its jobs ------------------------------------------------------------------------------------

    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        if "report" not in news:
            self._states.change(spec.id, status=RunStatus.RUNNING, phase=news["phase"])
        elif news["report"] is None:
            self._end(spec.id, RunStatus.STOPPED, "Stopped.")
        else:
            self._end(spec.id, RunStatus.SUCCEEDED, report=DryRunReport(**news["report"]))

    def dropped(self, spec: JobSpec) -> None:
        self._end(spec.id, RunStatus.STOPPED, "Stopped before it began.")

    def failed(self, spec: JobSpec, message: str) -> None:
        self._end(spec.id, RunStatus.FAILED, message)

    def _end(self, dry_run_id: str, status: RunStatus, message: str = "", report: DryRunReport | None = None) -> None:
        self._states.change(dry_run_id, status=status, message=message, phase="", report=report)
