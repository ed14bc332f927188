"""Exports of tuned models in the queue."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunixrt_core.errors import Busy, Conflict, NotFound
from tunixrt_core.evaluation.model_card import model_card
from tunixrt_core.jobs.queue import JobManager, WaitingJob
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.base_model import hash_base
from tunixrt_core.training.model_export import (
    ExportedModel,
    ExportLayout,
    ExportReport,
    ModelExportOptions,
    ModelExportState,
    folder_name,
)
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.latest import Latest

KIND = "export"


class QueuedExports:
    """The exports of this process, in the queue of the accelerator."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._states: Latest[ModelExportState] = Latest(KIND)

    def start(
        self, run: Run, manifest: RunManifest, options: ModelExportOptions, checkpoint: str = "last"
    ) -> ModelExportState:
        """Queue one into the run's folder; a waiting or running one of the same run and layout is returned instead.

        Raises Busy for a run that is not over, Conflict where that layout was exported already.
        """
        if not run.status.over:
            raise Busy(f"{run.id} is {run.status}; export it when it is over.")
        folder = RunDir(Path(run.directory))
        target = folder_of(folder, options.layout)

        def make() -> ModelExportState:
            if os.path.lexists(target):
                raise Conflict(f"{run.id} was exported to {target} already. Move that directory away to export again.")
            return ModelExportState(f"exp-{uuid.uuid4().hex[:8]}", run.id, options.layout)

        state, is_new = self._states.add(
            make, unless=lambda known: (known.run_id, known.layout) == (run.id, options.layout)
        )
        if not is_new:
            return state
        self._jobs.submit(
            WaitingJob(state.id, run.id, KIND),
            lambda stop: self._work(state.id, manifest, folder, target, options, checkpoint),
            dropped=lambda: self._end(state.id, RunStatus.STOPPED, "Stopped before it began."),
            failed=lambda message: self._end(state.id, RunStatus.FAILED, message),
        )
        return state

    def get(self, export_id: str) -> ModelExportState:
        """Raises NotFound for one that this process does not know (any more)."""
        return self._states.get(export_id)

    def find(self, export_id: str) -> ModelExportState | None:
        """None for one that this process does not know (any more)."""
        return self._states.find(export_id)

    def latest_of(self, run_id: str) -> dict[ExportLayout, ModelExportState]:
        """The last export of a run in each layout that this process knows."""
        return {state.layout: state for state in reversed(self._states.all()) if state.run_id == run_id}

    def _work(
        self,
        export_id: str,
        manifest: RunManifest,
        folder: RunDir,
        target: Path,
        options: ModelExportOptions,
        checkpoint: str,
    ) -> None:
        def phase(name: str) -> None:
            self._states.change(export_id, phase=name)

        self._states.change(export_id, status=RunStatus.RUNNING)
        report = execute_export(
            manifest, folder, target, self._jobs.backend, checkpoint=checkpoint, options=options, on_phase=phase
        )
        self._end(export_id, RunStatus.SUCCEEDED, report=report.to_dict())

    def _end(self, export_id: str, status: RunStatus, message: str = "", report: dict[str, Any] | None = None) -> None:
        self._states.change(export_id, status=status, message=message, phase="", report=report)


def folder_of(folder: RunDir, layout: ExportLayout) -> Path:
    """The default folder of a run's export."""
    return folder.path / "export" / folder_name(layout)


def exported_models(folder: RunDir) -> list[ExportedModel]:
    """The exports in a run's folder, made by any process. Each is complete."""
    return [found for layout in ExportLayout if (found := _exported(folder, layout)) is not None]


def _exported(folder: RunDir, layout: ExportLayout) -> ExportedModel | None:
    path = folder_of(folder, layout)
    if (report := read_object_or_none(path / "export.json")) is None:
        return None
    files = {file.name: file.stat().st_size for file in sorted(path.iterdir()) if file.is_file()}
    return ExportedModel(layout, path, report, files)


def exported_file(folder: RunDir, layout: ExportLayout, name: str) -> Path:
    """One file of an export. Raises NotFound for a name that the export does not list, whatever it may lead to."""
    found = _exported(folder, layout)
    if found is None or name not in found.files:
        raise NotFound("file of an export", f"{layout}/{name}", "GET the run's exports for the list of files.")
    return found.folder / name


def execute_export(
    manifest: RunManifest,
    run_folder: RunDir,
    target: Path,
    backend: Backend,
    *,
    checkpoint: str = "last",
    options: ModelExportOptions | None = None,
    on_phase: Callable[[str], None] = lambda phase: None,
) -> ExportReport:
    """Export the run's tuned model to `target`, with a model card, in this thread. Errors are raised.

    Raises Busy for an active run: its last checkpoint may be replaced at any moment; BaseChanged.
    """
    if run_folder.state_file.exists() and not (status := run_folder.state().status).over:
        raise Busy(f"The run is {status}. Wait for its end, or stop it, and export then.")
    check_data_unchanged(manifest.data)
    if (directory := backend.base_directory(manifest)) is not None:
        on_phase("hashing")
        hash_base(run_folder, manifest, directory)
    return backend.exporter()(
        manifest,
        run_folder.checkpoint(checkpoint),
        target,
        options=options or ModelExportOptions(),
        card=lambda report: model_card(manifest, run_folder, report),
        on_phase=on_phase,
    )
