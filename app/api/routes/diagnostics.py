"""Download of the diagnostics bundle."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from app.api.downloads import JsonlDownload
from app.api.shared import Pipe

router = APIRouter(tags=["System"])

MEDIA_TYPE = "application/zip"


@router.get(
    "/diagnostics",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The zip."}},
)
def diagnostics(pipeline: Pipe) -> StreamingResponse:
    """A zip of versions, settings, logs and states of the newest runs, without secrets or text of traces or models."""
    return JsonlDownload(pipeline.home.diagnostics(), pipeline.home.diagnostics_name(), MEDIA_TYPE)
