"""Tunix panel: status, SFT export, run manifest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.downloads import MEDIA_TYPE, JsonlDownload
from app.api.limits import JsonRoute, reads
from app.api.models.answers import TunixStatus
from app.api.models.bodies import ExportBody, ManifestBody
from app.api.models.checks import MadeManifest
from app.api.parts import Part
from app.api.shared import Pipe
from app.state import get_pipeline
from tunixrt_core.errors import NotFound, TunixMissing
from tunixrt_core.pipeline.pipeline import Pipeline

WITHOUT_TUNIX = "GET /api/datasets/{name}/{version}/export.jsonl"


class TunixRoute(JsonRoute):
    """Route that answers 501 without Tunix before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        needs_tunix = "POST" in (self.methods or ())

        async def checked(request: Request) -> Response:
            if needs_tunix:
                _require_tunix(get_pipeline())
            return await handler(request)

        return checked


router = Part(prefix="/tunix", tags=["Tunix"], route_class=TunixRoute)


@router.get("/status")
def status(pipeline: Pipe) -> TunixStatus:
    """Whether Tunix is installed, its version, and the device of this machine."""
    return TunixStatus(**pipeline.home.tunix_status().to_dict(), device=pipeline.home.host().device)


@router.post(
    "/sft/export",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "One row per line."}},
)
@reads
def export(body: ExportBody, pipeline: Pipe) -> JsonlDownload:
    """Traces or a dataset version as Tunix SFT JSONL. 501 without Tunix."""
    if body.trace_ids is not None:
        lines = pipeline.exports.traces(body.trace_ids)
    else:
        assert body.dataset is not None
        lines = pipeline.exports.blocks(body.dataset, body.version)
    return JsonlDownload(lines, body.name if body.name.endswith(".jsonl") else f"{body.name}.jsonl")


@router.post("/sft/manifest", status_code=201)
@reads
def manifest(body: ManifestBody, pipeline: Pipe) -> MadeManifest:
    """Run manifest as JSON and YAML, for POST /api/runs or `tunixrt train`. 501 without Tunix."""
    made = pipeline.manifests.build(
        body.dataset,
        body.version,
        data_file=_exported(pipeline, body.export) if body.export else None,
        model_id=body.model_id,
        output_dir=body.output_dir,
        hyperparams=body.hyperparameters,
    )
    return MadeManifest(manifest=made.to_dict(), yaml=made.to_yaml())


def _exported(pipeline: Pipeline, name: str) -> Path:
    """File in the home's `datasets`. The name was checked not to be a path."""
    path = pipeline.settings.exports_dir / name
    if path.is_symlink() or not path.is_file():
        raise NotFound("export", name, "Export a dataset version first.")
    return path


def _require_tunix(pipeline: Pipeline) -> None:
    status = pipeline.home.tunix_status()
    if not status.available:
        raise TunixMissing(
            f"This needs Tunix, which is not installed. Install it with: {status.install} "
            f"A dataset version can be exported without Tunix: {WITHOUT_TUNIX}.",
            details={"install": status.install, "without_tunix": WITHOUT_TUNIX},
        )
