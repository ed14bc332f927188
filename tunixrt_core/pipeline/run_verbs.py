"""What can be done with a run that is there: stop, save, resume, clone, compare, export; and the queue."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import Conflict
from tunixrt_core.evaluation.run_summary import RunSummary, summarise
from tunixrt_core.jobs.model_exports import ModelExports, exported_file, exported_models
from tunixrt_core.jobs.queue import JobManager, Queue
from tunixrt_core.jobs.registry import Registry
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import Difference, Parent, Variant, differences, make_variant, parent_of
from tunixrt_core.runs.record import Run, RunDir, RunState, RunStatus
from tunixrt_core.store.store import Store
from tunixrt_core.training.model_export import ExportedModel, ExportLayout, ModelExportOptions, ModelExportState


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """Several runs side by side: where their manifests differ, and what each came to. All in the order of `runs`."""

    runs: tuple[Run, ...]
    differences: tuple[Difference, ...]
    summaries: tuple[RunSummary, ...]


class RunVerbs:
    """The part of a Pipeline that works on runs that are there."""

    store: Store
    jobs: JobManager
    registry: Registry
    model_exports: ModelExports
    requests: Requests
    _starting: threading.Lock

    def resume_run(
        self,
        run_id: str,
        *,
        train_steps: int | None = None,
        epochs: float | None = None,
        request_id: str | None = None,
    ) -> Run:
        """Go on from the last checkpoint of a run that is over, with a new duration where one is given.

        The learning rate then follows the schedule of the longer run. A `request_id` that was used before resumes
        nothing. Raises Conflict where the run is not over, where it finished and no new duration is given, and for a
        duration that is not longer than what is done; RequestReused.
        """
        self.jobs.backend.require()
        return self.requests.once(
            request_id,
            "resume",
            {"run": run_id, "train_steps": train_steps, "epochs": epochs},
            lambda: self._resume(run_id, train_steps, epochs),
            note=lambda run: {"run": run.id},
            find=lambda kept: self.registry.run(kept["run"]),
        )

    def _resume(self, run_id: str, train_steps: int | None, epochs: float | None) -> Run:
        with self._starting:
            run = self.registry.run(run_id)
            if not run.status.over:
                raise Conflict(f"{run.id} is {run.status}; it can be resumed when it is over.")
            folder, manifest = RunDir(Path(run.directory)), RunManifest.from_dict(run.manifest)
            manifest = with_duration(manifest, folder.state(), train_steps=train_steps, epochs=epochs)
            if manifest.to_dict() != dict(run.manifest):
                folder.write_manifest(manifest.to_yaml())
                self.store.runs.mirror(run.id, manifest=manifest.to_dict())
            self.jobs.submit_training(run.id, manifest, folder)
        return self.registry.run(run_id)

    def stop_run(self, run_id: str) -> Run:
        """Ask a run to stop: it ends after the train step under way and keeps a checkpoint. Raises Conflict if over."""
        run = self.registry.run(run_id)
        if not self.jobs.stop(run.id):
            if run.status.over:
                raise Conflict(f"{run.id} is over ({run.status}); there is nothing to stop.")
            RunDir(Path(run.directory)).stop_file.touch()  # another process runs it
        return self.registry.run(run_id)

    def save_checkpoint(self, run_id: str) -> Run:
        """Ask a run, in whichever process, to save a checkpoint after the train step under way, and to go on.

        Raises Conflict where it does not train.
        """
        run = self.registry.run(run_id)
        ask_to_save(run.id, RunDir(Path(run.directory)))
        return run

    def clone_manifest(self, run_id: str, changes: Mapping[str, Any] | None = None) -> Variant:
        """The manifest of a run with flat hyperparameters changed, for the next folder. Raises InvalidManifest."""
        manifest = RunManifest.from_dict(self.registry.run(run_id).manifest)
        return make_variant(manifest, changes or {}, str(self.registry.next_dir()))

    def next_run_dir(self) -> str:
        """Where the next run goes that is given no other place."""
        return str(self.registry.next_dir())

    def run_parent(self, run_id: str) -> Parent | None:
        """The run that this one was cloned from, and what was changed; None of a run that is no clone."""
        return parent_of(RunDir(Path(self.registry.run(run_id).directory)))

    def compare_runs(self, run_ids: Sequence[str]) -> RunsCompared:
        """Runs side by side. Raises NotFound for one that is not there, or whose folder is gone."""
        runs = tuple(self.registry.run(run_id) for run_id in run_ids)
        manifests = [RunManifest.from_dict(run.manifest) for run in runs]
        return RunsCompared(
            runs, tuple(differences(manifests)), tuple(summarise(RunDir(Path(run.directory))) for run in runs)
        )

    def start_export(
        self,
        run_id: str,
        options: ModelExportOptions | None = None,
        *,
        checkpoint: str = "last",
        request_id: str | None = None,
    ) -> ModelExportState:
        """Queue the export of a run's tuned model into its folder.

        A `request_id` that was used before gives the export that it started, until the server ends: then the export
        ended with it. Raises TunixMissing without Tunix, Conflict for a run that is not over or was exported in this
        layout already, RequestReused.
        """
        self.jobs.backend.require()
        wanted = options or ModelExportOptions()
        return self.requests.once(
            request_id,
            "export",
            {"run": run_id, "checkpoint": checkpoint, "options": asdict(wanted)},
            lambda: self.model_exports.start(self.registry.run(run_id), wanted, checkpoint),
            note=lambda state: {"export": state.id},
            find=lambda kept: self.model_exports.find(kept["export"]),
        )

    def export_state(self, export_id: str) -> ModelExportState:
        """How an export goes, or what it came to. Raises NotFound."""
        return self.model_exports.get(export_id)

    def latest_exports(self, run_id: str) -> dict[ExportLayout, ModelExportState]:
        """The last export of a run in each layout that this process knows: waiting, under way or over."""
        return self.model_exports.latest_of(run_id)

    def exported_models(self, run_id: str) -> list[ExportedModel]:
        """What was exported into a run's folder."""
        return exported_models(RunDir(Path(self.registry.run(run_id).directory)))

    def exported_file(self, run_id: str, layout: ExportLayout, name: str) -> Path:
        """One file of an export in a run's folder. Raises NotFound."""
        return exported_file(RunDir(Path(self.registry.run(run_id).directory)), layout, name)

    def queue(self) -> Queue:
        """Who holds the accelerator, in this process or another one, and what waits for it, in order."""
        return self.jobs.queue()

    def cancel_job(self, job_id: str) -> None:
        """Take a job out of the queue. Raises NotFound where it does not wait."""
        self.jobs.cancel(job_id)

    def move_job(self, job_id: str, by: int) -> None:
        """Let a job that waits go sooner (-1) or later (1). Raises NotFound where it does not wait."""
        self.jobs.move(job_id, by)


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
