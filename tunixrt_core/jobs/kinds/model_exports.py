"""Exports of tuned models in the queue."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunixrt_core.errors import Busy, Conflict, NotFound
from tunixrt_core.evaluation.reports.model_card import model_card
from tunixrt_core.jobs.spec import Follower, JobSpec, Kind, Tell
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunStatus, with_owner
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
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.latest import Latest

KIND: Kind = "export"


if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.jobs.queue import JobManager

log = logging.getLogger(__name__)


def work(spec: JobSpec, place: Workplace, stop: StopRequest, tell: Tell) -> None:
    """Export into the run's folder; the last news is the report. It cannot be stopped."""
    tell({"phase": ""})
    folder, options = RunDir(Path(spec.body["folder"])), _options(spec)
    queued_file(folder, options.layout).unlink(missing_ok=True)
    report = execute_export(
        RunManifest.from_dict(spec.body["manifest"]),
        folder,
        folder_of(folder, options.layout),
        place.backend,
        checkpoint=spec.body["checkpoint"],
        options=options,
        on_phase=lambda name: tell({"phase": name}),
    )
    tell({"report": report.to_dict()})


def _options(spec: JobSpec) -> ModelExportOptions:
    return msgspec.convert(spec.body["options"], ModelExportOptions)


def _queued_file(spec: JobSpec) -> Path:
    return queued_file(RunDir(Path(spec.body["folder"])), _options(spec).layout)


class _Queued(msgspec.Struct):
    """The content of a file of a waiting export. It is touched while it waits, as a sign of life of its owner."""

    id: str
    owner: str
    checkpoint: str
    options: ModelExportOptions
    since: int | None = None  # nanoseconds


@dataclass(frozen=True, slots=True)
class QueuedExport:
    """An export that waited in the queue of a server that was killed, and the file that says so."""

    id: str
    file: Path
    checkpoint: str
    options: ModelExportOptions
    since: int  # nanoseconds; when it was queued


class QueuedExports(Follower):
    """The exports of this process, in the queue of the accelerator."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._states: Latest[ModelExportState] = Latest(KIND)

    def start(
        self,
        run: Run,
        manifest: RunManifest,
        options: ModelExportOptions,
        checkpoint: str = "last",
        export_id: str | None = None,
    ) -> ModelExportState:
        """Queue one into the run's folder; a waiting or running one of the same run and layout is returned instead.

        `export_id` is that of one that is queued again. Raises Busy for a run that is not over, Conflict where that
        layout was exported already.
        """
        if not run.status.over:
            raise Busy(f"{run.id} is {run.status}; export it when it is over.")
        folder = RunDir(Path(run.directory))
        target = folder_of(folder, options.layout)

        def make() -> ModelExportState:
            if os.path.lexists(target):
                raise Conflict(f"{run.id} was exported to {target} already. Move that directory away to export again.")
            return ModelExportState(export_id or f"exp-{uuid.uuid4().hex[:8]}", run.id, options.layout)

        state, is_new = self._states.add(
            make, unless=lambda known: (known.run_id, known.layout) == (run.id, options.layout)
        )
        if not is_new:
            return state
        queued = queued_file(folder, options.layout)

        asked = {"checkpoint": checkpoint, "options": asdict(options)}
        waits = {"id": state.id, "owner": owners.this_owner(), "since": time.time_ns()}
        body = {**asked, "manifest": manifest.to_dict(), "folder": str(folder.path)}
        with ExitStack() as not_queued:  # it would seem to wait, and be returned in place of each later one
            not_queued.callback(self._states.forget, state.id)
            queued.parent.mkdir(exist_ok=True)
            not_queued.callback(queued.unlink, missing_ok=True)
            write_json(queued, {**asked, **waits})
            self._jobs.submit(JobSpec(state.id, run.id, KIND, body), self)
            not_queued.pop_all()
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

    # --- the follower of its jobs ------------------------------------------------------------------------------------

    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        if "report" in news:
            self._end(spec.id, RunStatus.SUCCEEDED, report=news["report"])
        else:
            self._states.change(spec.id, status=RunStatus.RUNNING, phase=news["phase"])

    def dropped(self, spec: JobSpec) -> None:
        _queued_file(spec).unlink(missing_ok=True)
        self._end(spec.id, RunStatus.STOPPED, "Stopped before it began.")

    def failed(self, spec: JobSpec, message: str) -> None:
        self._end(spec.id, RunStatus.FAILED, message)

    def lost(self, spec: JobSpec, why: str, *, again: bool) -> JobSpec | None:
        """An export that was not finished has left nothing; it starts over."""
        log.warning("%s: %s", spec.id, why)
        if not again:
            self.failed(spec, why)
        return spec if again else None

    def beat(self, spec: JobSpec) -> None:
        os.utime(_queued_file(spec))

    def _end(self, export_id: str, status: RunStatus, message: str = "", report: dict[str, Any] | None = None) -> None:
        self._states.change(export_id, status=status, message=message, phase="", report=report)


def queued_file(folder: RunDir, layout: ExportLayout) -> Path:
    """The file of an export while it waits in a server's queue: its id, process, checkpoint and options."""
    return folder.path / "export" / f"{folder_name(layout)}.queued.json"


def left_in_queue(folder: RunDir) -> Iterator[QueuedExport]:
    """The exports of a run that waited in the queue of a server that was killed."""
    for layout in ExportLayout:
        file = queued_file(folder, layout)
        loaded = read_object_or_none(file)
        if loaded is None:
            continue
        try:
            found = msgspec.convert(with_owner(loaded), _Queued)
            touched = file.lstat().st_mtime_ns
        except FileNotFoundError:  # it began a moment ago
            continue
        except msgspec.ValidationError as error:
            log.warning("%s is not queued again: %s", file, error)
            continue
        if found.options.layout is layout and not owners.alive(found.owner, touched / 1e9):
            yield QueuedExport(found.id, file, found.checkpoint, found.options, found.since or touched)


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
