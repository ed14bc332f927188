"""Reports of TPU slices: start, watch, stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.api.limits import JsonRoute
from app.api.models.bodies import SliceReportBody
from app.api.models.slices import SliceReportList, SliceReportTask
from app.api.parts import Part
from app.api.shared import Pipe
from tunixrt_core.manifest.manifest import RunManifest

router = Part(prefix="/slice-reports", tags=["Runs"], route_class=JsonRoute)

Id = Annotated[str, Path(max_length=40)]


@router.post("", status_code=202)
def start(body: SliceReportBody, pipeline: Pipe) -> SliceReportTask:
    """Compile the steps of a manifest for a TPU slice in the background: memory, work and bounds on the speed.

    If the same is under way, it is returned; what was compiled before is answered at once. 501 without the compiler.
    """
    kinds = tuple(dict.fromkeys(body.steps))
    manifest = RunManifest.from_dict(body.manifest)
    return SliceReportTask.of(pipeline.manifests.start_slice_report(manifest, body.slice, kinds))


@router.get("")
def listing(pipeline: Pipe) -> SliceReportList:
    """Reports since the server started, newest first."""
    return SliceReportList(reports=[SliceReportTask.of(task) for task in pipeline.manifests.slices.tasks.all()])


@router.get("/{id}")
def one(id: Id, pipeline: Pipe) -> SliceReportTask:
    """Progress of a report, in seconds passed and expected, and its result."""
    return SliceReportTask.of(pipeline.manifests.slices.tasks.get(id))


@router.post("/{id}/stop")
def stop(id: Id, pipeline: Pipe) -> SliceReportTask:
    """Stop compiling. Nothing is kept."""
    return SliceReportTask.of(pipeline.manifests.stop_slice_report(id))
