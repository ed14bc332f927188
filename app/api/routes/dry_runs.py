"""Dry runs of a manifest: start, watch, stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.limits import JsonRoute
from app.api.models.bodies import DryRunBody
from app.api.models.checks import DryRun
from app.api.shared import Pipe
from tunixrt_core.manifest.manifest import RunManifest

router = APIRouter(prefix="/dry-runs", tags=["Runs"], route_class=JsonRoute)

DryRunId = Annotated[str, Path(pattern=r"^dry-[0-9a-f]{8}$")]


@router.post("", status_code=202)
def start(body: DryRunBody, pipeline: Pipe) -> DryRun:
    """Queue a dry run; nothing of it is kept. One of this manifest that is on its way is answered as it is. 501
    without Tunix.
    """
    return DryRun.model_validate(pipeline.manifests.start_dry_run(RunManifest.from_dict(body.manifest)).to_dict())


@router.get("/{id}")
def show(id: DryRunId, pipeline: Pipe) -> DryRun:
    """How it goes, and what it found. 404 where it was forgotten, as after a restart of the server."""
    return DryRun.model_validate(pipeline.manifests.dry_run(id).to_dict())


@router.post("/{id}/stop")
def stop(id: DryRunId, pipeline: Pipe) -> DryRun:
    """Ask it to end; one that waits is dropped from the queue."""
    return DryRun.model_validate(pipeline.manifests.stop_dry_run(id).to_dict())
