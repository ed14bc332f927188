"""Runs: start, read, stop, resume and compare."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import Busy, Conflict
from tunixrt_core.evaluation.run_summary import RunSummary, summarise
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry import Registry
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import (
    Difference,
    Parent,
    differences,
    keep_parent,
    parent_of,
)
from tunixrt_core.runs.metrics import Metric, SampleAnswer
from tunixrt_core.runs.record import Run, RunDir, RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.query import Page
from tunixrt_core.store.store import Store
from tunixrt_core.training.execution import run_folder_of


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """Several runs side by side: where their manifests differ, and what each came to. All in the order of `runs`."""

    runs: tuple[Run, ...]
    differences: tuple[Difference, ...]
    summaries: tuple[RunSummary, ...]


class Runs:
    """The runs of a home."""

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
        *,
        request_id: str | None = None,
        allow: Iterable[str] = (),
        parent: str | None = None,
    ) -> Run:
        """Queue a run. A `request_id` that was used before gives the run that it started, and starts nothing.

        The worker makes the preflight before it trains; findings with a code in `allow` do not block it. `parent` is
        the run that this one is a clone of. Where the output_dir is a numbered folder of this home that holds a run by
        now, the next one is taken. Raises NotFound where the parent is not there, TunixMissing without Tunix, Conflict
        where another output_dir already holds a run, OutputError where it cannot be written, RequestReused where the
        `request_id` started something else.
        """
        self._jobs.backend.require()
        codes = sorted(allow)
        return self._requests.once(
            request_id,
            "run",
            {"manifest": self.asked_by(manifest), "allow": codes, "parent": parent},
            lambda: self._start_run(manifest, request_id, codes, parent),
            note=lambda run: {"run": run.id},
            find=lambda kept: self.get(kept["run"]),
        )

    def asked_by(self, manifest: RunManifest) -> dict[str, Any]:
        """What a manifest asks for: a folder that this home chose is no part of it, as the next one is another."""
        asked = manifest.to_dict()
        if self._registry.is_numbered(run_folder_of(manifest, self._settings.runs_dir).path):
            del asked["output_dir"]
        return asked

    def _start_run(
        self, manifest: RunManifest, request_id: str | None, allow: Iterable[str], parent: str | None
    ) -> Run:
        with self._starting:
            if request_id and (known := self.by_request(request_id)):
                return known  # its process died before it could answer
            before = RunManifest.from_dict(self.get(parent).manifest) if parent else None
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
            run = self._registry.add(manifest, folder, RunState(), request_id=request_id)
            self._jobs.submit_training(run.id, manifest, folder, allow=tuple(allow))
        return run

    def page(self, *, limit: int = 50, after: str | None = None) -> Page[Run]:
        """Runs, newest first, with the status that their folders tell."""
        return self._registry.page(limit=limit, after=after)

    def get(self, run_id: str) -> Run:
        return self._registry.run(run_id)

    def by_request(self, request_id: str) -> Run | None:
        """The run that an earlier start with this request id made, if any."""
        return self._registry.run_by_request(request_id)

    def folder(self, run_id: str) -> RunDir:
        return RunDir(Path(self._store.runs.get(run_id).directory))

    def state(self, run_id: str) -> RunState:
        """What a run is doing: phase, train step, device, totals."""
        return self.folder(run_id).state()

    def metrics(self, run_id: str, since: int = 0) -> tuple[list[Metric], int]:
        """Metrics records after the cursor `since`, and the next cursor."""
        return self.folder(run_id).metrics(since)

    def samples(self, run_id: str) -> list[SampleAnswer]:
        """The model's answers to the fixed prompts at each evaluation."""
        return self.folder(run_id).samples()[0]

    def resume(
        self,
        run_id: str,
        *,
        train_steps: int | None = None,
        epochs: float | None = None,
        request_id: str | None = None,
    ) -> Run:
        """Go on from the last checkpoint of a run that is over, with a new duration where one is given.

        The learning rate then follows the schedule of the longer run. A `request_id` that was used before resumes
        nothing. Raises Busy where the run is not over, Conflict where it finished and no new duration is given or the
        duration is not longer than what is done, RequestReused.
        """
        self._jobs.backend.require()
        return self._requests.once(
            request_id,
            "resume",
            {"run": run_id, "train_steps": train_steps, "epochs": epochs},
            lambda: self._resume(run_id, train_steps, epochs),
            note=lambda run: {"run": run.id},
            find=lambda kept: self._registry.run(kept["run"]),
        )

    def _resume(self, run_id: str, train_steps: int | None, epochs: float | None) -> Run:
        with self._starting:
            run = self._registry.run(run_id)
            if not run.status.over:
                raise Busy(f"{run.id} is {run.status}; it can be resumed when it is over.")
            folder, manifest = RunDir(Path(run.directory)), RunManifest.from_dict(run.manifest)
            manifest = with_duration(manifest, folder.state(), train_steps=train_steps, epochs=epochs)
            if manifest.to_dict() != dict(run.manifest):
                folder.write_manifest(manifest.to_yaml())
                self._store.runs.mirror(run.id, manifest=manifest.to_dict())
            self._jobs.submit_training(run.id, manifest, folder)
        return self._registry.run(run_id)

    def stop(self, run_id: str) -> Run:
        """Ask a run to stop: it ends after the train step under way and keeps a checkpoint. Raises Conflict if over."""
        run = self._registry.run(run_id)
        if not self._jobs.stop(run.id):
            if run.status.over:
                raise Conflict(f"{run.id} is over ({run.status}); there is nothing to stop.")
            RunDir(Path(run.directory)).stop_file.touch()  # another process runs it
        return self._registry.run(run_id)

    def save_checkpoint(self, run_id: str) -> Run:
        """Ask a run, in whichever process, to save a checkpoint after the train step under way, and to go on.

        Raises Conflict where it does not train.
        """
        run = self._registry.run(run_id)
        ask_to_save(run.id, RunDir(Path(run.directory)))
        return run

    def parent(self, run_id: str) -> Parent | None:
        """The run that this one was cloned from, and what was changed; None of a run that is no clone."""
        return parent_of(RunDir(Path(self._registry.run(run_id).directory)))

    def compare(self, run_ids: Sequence[str]) -> RunsCompared:
        """Runs side by side. Raises NotFound for one that is not there, or whose folder is gone."""
        runs = tuple(self._registry.run(run_id) for run_id in run_ids)
        manifests = [RunManifest.from_dict(run.manifest) for run in runs]
        return RunsCompared(
            runs, tuple(differences(manifests)), tuple(summarise(RunDir(Path(run.directory))) for run in runs)
        )


def ask_to_save(name: str, folder: RunDir) -> None:
    """Leave the file that asks for a checkpoint. Raises Conflict where the run does not train."""
    status = folder.state().status
    if status.over or status in (RunStatus.QUEUED, RunStatus.STOPPING):
        raise Conflict(f"{name} is {status}; a checkpoint can be saved while it trains.")
    folder.save_file.touch()


def with_duration(
    manifest: RunManifest, state: RunState, *, train_steps: int | None, epochs: float | None
) -> RunManifest:
    """The manifest to go on with. Raises Conflict as `resume_run` does, InvalidManifest for both durations at once."""
    if train_steps is None and epochs is None:
        if state.status is RunStatus.SUCCEEDED:
            raise Conflict(
                f"The run has finished all of its {state.total_train_steps:,} train steps. "
                "To train for longer, say how many train steps or epochs it shall have in all."
            )
        return manifest
    longer = RunManifest.from_dict({**manifest.to_dict(), "duration": {"train_steps": train_steps, "epochs": epochs}})
    total = _total_train_steps(longer, state)
    if total <= state.train_step:
        raise Conflict(f"{state.train_step:,} train steps are done already; ask for more than that.")
    return longer


def _total_train_steps(manifest: RunManifest, state: RunState) -> int:
    """From the plan of the run where there is one: it knows the usable rows, and how packing filled the batches."""
    planned = state.plan.get("epochs")
    if manifest.duration.epochs is None or not planned:
        return manifest.total_train_steps(manifest.data.train_rows)
    return round(manifest.duration.epochs / float(planned) * state.total_train_steps)
