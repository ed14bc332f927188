"""Background builds of datasets: start, watch, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.api.limits import JsonRoute
from app.api.models.bodies import DatasetBody
from app.api.models.tasks import Build, BuildList
from app.api.parts import Part
from app.api.routes.datasets import eval_file
from app.api.shared import IdempotencyKey, Pipe

router = Part(prefix="/dataset-builds", tags=["Datasets"], route_class=JsonRoute)

Id = Annotated[str, Path(max_length=40)]


@router.post("", status_code=202)
def start(body: DatasetBody, pipeline: Pipe, key: IdempotencyKey = None) -> Build:
    """Start a background build of a version, for large stores. Takes the body of POST /api/datasets."""
    return Build.of(pipeline.datasets.start_build(body.spec(), eval_file=eval_file(body, pipeline), request_id=key))


@router.get("")
def listing(pipeline: Pipe) -> BuildList:
    """Builds since the server started, newest first."""
    return BuildList(builds=[Build.of(task) for task in pipeline.datasets.builds.all()])


@router.get("/{id}")
def one(id: Id, pipeline: Pipe) -> Build:
    """Progress of a build, and its result."""
    return Build.of(pipeline.datasets.builds.get(id))


@router.post("/{id}/stop")
def stop(id: Id, pipeline: Pipe) -> Build:
    """Stop a build. It ends between two rows and keeps nothing."""
    return Build.of(pipeline.datasets.stop_build(id))
