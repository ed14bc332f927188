"""Dry runs of a manifest: start, watch, stop."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.api.limits import JsonRoute
from app.api.models.bodies import DryRunBody
from app.api.models.checks import DryRun
from app.api.parts import Part
from app.api.shared import Pipe
from tunixrt_core.manifest.manifest import RunManifest

router = Part(prefix="/dry-runs", tags=["Runs"], route_class=JsonRoute)

DryRunId = Annotated[str, Path(pattern=r"^dry-[0-9a-f]{8}$")]


@router.post("", status_code=202)
def start(body: DryRunBody, pipeline: Pipe) -> DryRun:
    """Queue a dry run, which keeps nothing. If one of this manifest is queued or running, it is returned.
    501 without Tunix.
    """
    return DryRun.model_validate(pipeline.manifests.start_dry_run(RunManifest.from_dict(body.manifest)).to_dict())


@router.get("/{id}")
def show(id: DryRunId, pipeline: Pipe) -> DryRun:
    """Progress and results of a dry run. 404 if it is no longer kept, as after a restart of the server."""
    return DryRun.model_validate(pipeline.manifests.dry_run(id).to_dict())


@router.post("/{id}/stop")
def stop(id: DryRunId, pipeline: Pipe) -> DryRun:
    """Stop a dry run, or remove it from the queue."""
    return DryRun.model_validate(pipeline.manifests.stop_dry_run(id).to_dict())
