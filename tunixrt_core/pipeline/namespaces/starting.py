"""Starts of runs: of a manifest, and of a run that is over for longer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tunixrt_core.errors import Conflict
from tunixrt_core.jobs.kinds.trainings import require_shares, show_waiting
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.jobs.waiting.left import Left
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.places import check_places
from tunixrt_core.manifest.variants import keep_parent
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.ownership import require_over
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import Store
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.training.learning_rate import RateChange, ScheduleChoice, rate_change, with_schedule
from tunixrt_core.util.files.regular import read_object_or_none


class RunStarts:
    """Starts and resumes for `rt.runs`. Separate from it, because a listing needs no manifest."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: JobManager,
        registry: Registry,
        requests: Requests,
        starting: threading.Lock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._requests = requests
        self._starting = starting

    def start(
        self,
        manifest: RunManifest,
        request_id: str | None,
        allow: list[str],
        parent: str | None,
        processes: int | None,
    ) -> Run:
        """As of `Runs.start`."""
        self._jobs.backend.require()
        check_places(manifest, self._settings)
        count = self._jobs.executor.processes(processes)
        require_shares(manifest, count)
        return self._requests.once(
            request_id,
            "run",
            {"manifest": self.asked_by(manifest), "allow": allow, "parent": parent}
            | ({"processes": count} if count > 1 else {}),
            lambda: self._start_run(manifest, request_id, allow, parent, count),
            note=lambda run: {"run": run.id},
            find=lambda kept: self._registry.run(kept["run"]),
        )

    def asked_by(self, manifest: RunManifest) -> dict[str, Any]:
        """What a manifest requests, without a folder that this home chose, as the next one differs."""
        asked = manifest.to_dict()
        if self._registry.is_numbered(run_folder_of(manifest, self._settings.runs_dir).path):
            del asked["output_dir"]
        return asked

    def _start_run(
        self, manifest: RunManifest, request_id: str | None, allow: Iterable[str], parent: str | None, processes: int
    ) -> Run:
        with self._starting:
            if request_id and (known := self._registry.run_by_request(request_id)):
                return known  # its process died before it could answer
            before = self._registry.whole(parent)[1] if parent else None
            folder = run_folder_of(manifest, self._settings.runs_dir)
            if folder.state_file.exists():
                if not self._registry.is_numbered(folder.path):
                    raise Conflict(f"{folder.path} already holds a run. Choose another output_dir, or resume that run.")
                # this home chose the folder, and another start was quicker
                manifest = manifest.model_copy(update={"output_dir": str(self._registry.next_dir())})
                folder = run_folder_of(manifest, self._settings.runs_dir)
            folder.create()
            if parent and before:
                keep_parent(folder, parent, before, manifest)
            codes = tuple(allow)
            # before its row: a folder without a row is found at the next start, a row without a state is never begun
            show_waiting(manifest, folder, allow=codes, processes=processes, request_id=request_id)
            with ExitStack() as without_a_row:
                without_a_row.callback(folder.state_file.unlink, missing_ok=True)
                without_a_row.callback(folder.queued_file.unlink, missing_ok=True)
                run = self._registry.add(manifest, folder, RunState(), request_id=request_id)
                without_a_row.pop_all()
            self._jobs.submit_training(run.id, manifest, folder, allow=codes, processes=processes)
        return run

    def resume(
        self,
        run_id: str,
        request_id: str | None,
        train_steps: int | None,
        epochs: float | None,
        schedule: ScheduleChoice | None,
        processes: int | None,
    ) -> Run:
        """As of `Runs.resume`."""
        self._jobs.backend.require()
        return self._requests.once(
            request_id,
            "resume",
            {"run": run_id, "train_steps": train_steps, "epochs": epochs}
            | ({"schedule": schedule} if schedule else {})
            | ({"processes": processes} if processes else {}),
            lambda: self._resume(run_id, train_steps, epochs, schedule, processes),
            note=lambda run: {"run": run.id},
            find=lambda kept: self._registry.run(kept["run"]),
        )

    def left_in_queue(self) -> Iterator[Left]:
        """As of `Runs.left_in_queue`."""
        for run in self._registry.left_in_queue():
            since = RunDir(Path(run.directory)).queued_file.lstat().st_mtime_ns
            yield Left(run.id, since, partial(self._queue_again, run))

    def _queue_again(self, run: Run) -> None:
        """Raises InvalidManifest for one that was edited or is of another version: the run is as it was before."""
        folder = RunDir(Path(run.directory))
        queued = read_object_or_none(folder.queued_file) or {}
        allow, resumed = queued.get("allow"), queued.get("manifest")
        codes = [str(code) for code in allow] if isinstance(allow, list) else []
        manifest = RunManifest.from_dict(resumed) if resumed else self._registry.whole(run.id)[1]
        processes = queued.get("processes")
        self._jobs.submit_training(
            run.id, manifest, folder, allow=codes, processes=processes if isinstance(processes, int) else 1
        )

    def rate_change(
        self, run_id: str, train_steps: int | None, epochs: float | None, schedule: ScheduleChoice | None
    ) -> RateChange | None:
        """As of `Runs.rate_change`."""
        self._jobs.backend.require()
        run, manifest = self._registry.whole(run_id)
        folder = RunDir(Path(run.directory))
        state = folder.state()
        require_over(folder.path, state)
        longer = with_duration(manifest, state, train_steps=train_steps, epochs=epochs, schedule=schedule)
        return rate_change_of(manifest, longer, state)

    def _resume(
        self,
        run_id: str,
        train_steps: int | None,
        epochs: float | None,
        schedule: ScheduleChoice | None,
        processes: int | None,
    ) -> Run:
        with self._starting:
            run, manifest = self._registry.whole(run_id)
            folder = RunDir(Path(run.directory))
            state = folder.state()
            require_over(folder.path, state)
            manifest = with_duration(manifest, state, train_steps=train_steps, epochs=epochs, schedule=schedule)
            count = self._jobs.executor.processes(state.processes if processes is None else processes)
            require_shares(manifest, count)
            self._jobs.submit_training(run.id, manifest, folder, processes=count)
        # its row has this manifest from the first new train step on
        return replace(self._registry.run(run_id), manifest=manifest.to_dict())


def with_duration(
    manifest: RunManifest,
    state: RunState,
    *,
    train_steps: int | None,
    epochs: float | None,
    schedule: ScheduleChoice | None = None,
) -> RunManifest:
    """The manifest to resume with. Raises Conflict as `resume_run` does, InvalidManifest for both durations at once.

    Without `schedule`, one whose duration is longer follows the schedule of the longer run.
    """
    planned = _planned(manifest, state)
    if train_steps is None and epochs is None:
        if state.status is RunStatus.SUCCEEDED:
            raise Conflict(
                f"The run has finished all of its {state.total_train_steps:,} train steps. "
                "To extend it, give the new total of train steps or epochs."
            )
        return manifest if schedule is None else with_schedule(manifest, state.train_step, planned, schedule)
    longer = RunManifest.from_dict({**manifest.to_dict(), "duration": {"train_steps": train_steps, "epochs": epochs}})
    total = _total_train_steps(longer, state)
    if total <= state.train_step:
        raise Conflict(f"{state.train_step:,} train steps are done already; ask for more than that.")
    return with_schedule(longer, state.train_step, planned, schedule or "stretch")


def rate_change_of(before: RunManifest, after: RunManifest, state: RunState) -> RateChange | None:
    """What a resume with `after` does to the learning rate; None where it changes neither duration nor schedule."""
    if (before.duration, before.schedule, before.optimizer) == (after.duration, after.schedule, after.optimizer):
        return None
    total = _total_train_steps(after, state) if after.duration != before.duration else _planned(before, state)
    return rate_change(before, after, done=state.train_step, planned=_planned(before, state), total=total)


def _planned(manifest: RunManifest, state: RunState) -> int:
    return state.total_train_steps or manifest.total_train_steps(manifest.data.train_rows)


def _total_train_steps(manifest: RunManifest, state: RunState) -> int:
    """From the run's plan, if it exists: it knows the usable rows, and how packing filled the batches."""
    planned = state.plan.get("epochs")
    if manifest.duration.epochs is None or not planned:
        return manifest.total_train_steps(manifest.data.train_rows)
    return round(manifest.duration.epochs / float(planned) * state.total_train_steps)
