"""Files that the dashboard imports or checks in the background: watch, stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.api.limits import JsonRoute
from app.api.models.tasks import FileImport, FileImportList
from app.api.parts import Part
from app.api.shared import Pipe

router = Part(prefix="/imports", tags=["Traces"], route_class=JsonRoute)

Id = Annotated[str, Path(max_length=40)]


@router.get("")
def listing(pipeline: Pipe) -> FileImportList:
    """Latest files of this server's Import page, newest first."""
    return FileImportList(imports=[FileImport.of(task) for task in pipeline.traces.imports.all()])


@router.get("/{id}")
def one(id: Id, pipeline: Pipe) -> FileImport:
    """Progress of a file, and its report."""
    return FileImport.of(pipeline.traces.imports.get(id))


@router.post("/{id}/stop")
def stop(id: Id, pipeline: Pipe) -> FileImport:
    """Stop an import or a check. It ends between two rows and stores nothing."""
    return FileImport.of(pipeline.traces.stop_import(id))
