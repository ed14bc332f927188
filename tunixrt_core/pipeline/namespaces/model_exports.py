"""Exports of tuned models into the folders of their runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import NotFound
from tunixrt_core.jobs.kinds.model_exports import (
    QueuedExport,
    QueuedExports,
    exported_file,
    exported_models,
    left_in_queue,
)
from tunixrt_core.jobs.waiting.left import Left
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.model_export import ExportedModel, ExportLayout, ModelExportOptions, ModelExportState
from tunixrt_core.util.files.archive import stored_files

if TYPE_CHECKING:
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.jobs.requests import Requests


class ModelExports:
    """Tuned models as Hugging Face directories."""

    def __init__(self, jobs: JobManager, registry: Registry, requests: Requests) -> None:
        self._jobs = jobs
        self._registry = registry
        self._requests = requests
        self.queued = QueuedExports(jobs)

    def start(
        self,
        run_id: str,
        options: ModelExportOptions | None = None,
        *,
        checkpoint: str = "last",
        request_id: str | None = None,
    ) -> ModelExportState:
        """Queue the export of a run's tuned model into its folder.

        A `request_id` that was used before returns the export that it started, until the server ends, and with it the
        export. Raises TunixMissing without Tunix, Conflict for a run that is not over or was exported in this
        layout already, RequestReused.
        """
        self._jobs.backend.require()
        wanted = options or ModelExportOptions()
        return self._requests.once(
            request_id,
            "export",
            {"run": run_id, "checkpoint": checkpoint, "options": asdict(wanted)},
            lambda: self.queued.start(*self._registry.whole(run_id), wanted, checkpoint),
            note=lambda state: {"export": state.id},
            find=lambda kept: self.queued.find(kept["export"]),
        )

    def left_in_queue(self) -> list[Left]:
        """The exports that waited when the server of this home was killed. They keep their ids."""
        left = []
        for run_id, folder in self._registry.folders().items():
            for queued in left_in_queue(folder):
                submit = partial(self._queue_again, run_id, queued)
                left.append(Left(queued.id, queued.since, submit, partial(_give_up, queued)))
        return left

    def _queue_again(self, run_id: str, queued: QueuedExport) -> None:
        self.queued.start(*self._registry.whole(run_id), queued.options, queued.checkpoint, queued.id)

    def get(self, export_id: str) -> ModelExportState:
        """The state of an export, and its report when it succeeded. Raises NotFound."""
        return self.queued.get(export_id)

    def latest_of(self, run_id: str) -> dict[ExportLayout, ModelExportState]:
        """The last export of a run in each layout that this process knows: waiting, in progress or over."""
        return self.queued.latest_of(run_id)

    def of_run(self, run_id: str) -> list[ExportedModel]:
        """The exports in a run's folder."""
        return exported_models(RunDir(Path(self._registry.run(run_id).directory)))

    def file(self, run_id: str, layout: ExportLayout, name: str) -> Path:
        """One file of an export in a run's folder. Raises NotFound."""
        return exported_file(RunDir(Path(self._registry.run(run_id).directory)), layout, name)

    def archive(self, run_id: str, layout: ExportLayout) -> Iterator[bytes]:
        """All files of an export in a folder of a zip, in pieces. Raises NotFound before the first piece."""
        model = next((model for model in self.of_run(run_id) if model.layout is layout), None)
        if model is None:
            raise NotFound("export", f"{run_id}/{layout.value}")
        folder = archive_name(run_id, layout).removesuffix(".zip")
        return stored_files((f"{folder}/{name}", model.folder / name) for name in model.files)


def archive_name(run_id: str, layout: ExportLayout) -> str:
    """The name of the archive of an export."""
    return f"{run_id}-{layout.value}.zip"


def _give_up(queued: QueuedExport, why: str) -> None:
    """An export that cannot be queued again is forgotten; the log says why."""
    queued.file.unlink(missing_ok=True)
