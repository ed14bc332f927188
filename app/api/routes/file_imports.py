"""Files that the dashboard imports or checks in the background: watch, stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.limits import JsonRoute
from app.api.models.tasks import FileImport, FileImportList
from app.api.shared import Pipe

router = APIRouter(prefix="/imports", tags=["Traces"], route_class=JsonRoute)

Id = Annotated[str, Path(max_length=40)]


@router.get("")
def listing(pipeline: Pipe) -> FileImportList:
    """The last files that the Import page of this server was given, newest first."""
    return FileImportList(imports=[FileImport.of(task) for task in pipeline.traces.imports.all()])


@router.get("/{id}")
def one(id: Id, pipeline: Pipe) -> FileImport:
    """How far a file is, and its report."""
    return FileImport.of(pipeline.traces.imports.get(id))


@router.post("/{id}/stop")
def stop(id: Id, pipeline: Pipe) -> FileImport:
    """Ask an import or a check to end; it does between two rows, and nothing of it is stored."""
    return FileImport.of(pipeline.traces.imports.stop(id))
