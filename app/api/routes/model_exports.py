"""Exports of tuned models: start, watch, list, download."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import FileResponse, StreamingResponse

from app.api.downloads import JsonlDownload
from app.api.limits import JsonRoute
from app.api.models.bodies import ModelExportBody
from app.api.models.runs import ExportedModel, ExportedModels, ModelExport
from app.api.routes.runs import RunId
from app.api.shared import IdempotencyKey, Pipe
from tunixrt_core.pipeline.namespaces.model_exports import archive_name
from tunixrt_core.training.model_export import ExportLayout, ModelExportOptions

router = APIRouter(tags=["Runs"], route_class=JsonRoute)

ExportId = Annotated[str, Path(pattern=r"^exp-[0-9a-f]{8}$")]
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$")]
_BINARY = "application/octet-stream"
_ZIP = "application/zip"


@router.post("/runs/{id}/exports", status_code=202)
def start(id: RunId, pipeline: Pipe, body: ModelExportBody | None = None, key: IdempotencyKey = None) -> ModelExport:
    """Queue the export of a finished run into its folder. If one of this format is queued or running, it is returned.
    409 if the export already exists. 501 without Tunix.
    """
    asked = body or ModelExportBody()
    options = ModelExportOptions(ExportLayout(asked.format), asked.max_shard_bytes, asked.check_with_transformers)
    state = pipeline.model_exports.start(id, options, checkpoint=asked.checkpoint, request_id=key)
    return ModelExport.model_validate(state.to_dict())


@router.get("/runs/{id}/exports")
def listing(id: RunId, pipeline: Pipe) -> ExportedModels:
    """Exports in the run's folder, by this server or by the command: report and files."""
    return ExportedModels(
        exports=[
            ExportedModel(format=each.layout.value, report=each.report, files=each.files)
            for each in pipeline.model_exports.of_run(id)
        ]
    )


@router.get(
    "/runs/{id}/exports/{format}",
    response_class=StreamingResponse,
    responses={200: {"content": {_ZIP: {}}, "description": "The zip."}},
)
def archive(id: RunId, format: ExportLayout, pipeline: Pipe) -> StreamingResponse:
    """All files of an export as one zip, streamed and not compressed."""
    return JsonlDownload(pipeline.model_exports.archive(id, format), archive_name(id, format), _ZIP)


@router.get(
    "/runs/{id}/exports/{format}/{file}",
    response_class=FileResponse,
    responses={200: {"content": {_BINARY: {}}, "description": "The file."}},
)
def download(id: RunId, format: ExportLayout, file: FileName, pipeline: Pipe) -> FileResponse:
    """One file of an export. Range requests are supported, so that a broken download can continue."""
    return FileResponse(pipeline.model_exports.file(id, format, file), media_type=_BINARY, filename=file)


@router.get("/exports/{id}")
def show(id: ExportId, pipeline: Pipe) -> ModelExport:
    """Progress and result of an export. 404 if it is no longer kept, as after a restart of the server."""
    return ModelExport.model_validate(pipeline.model_exports.get(id).to_dict())
