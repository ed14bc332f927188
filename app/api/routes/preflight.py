"""Preflight of a manifest."""

from __future__ import annotations

from app.api.limits import JsonRoute, reads
from app.api.models.bodies import PreflightBody
from app.api.models.checks import Preflight
from app.api.parts import Part
from app.api.shared import Pipe
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.preflight.report import to_dict

router = Part(prefix="/preflight", tags=["Runs"], route_class=JsonRoute)


@router.post("")
@reads
def preflight(body: PreflightBody, pipeline: Pipe) -> Preflight:
    """Check a manifest without starting a run: 200 with the findings, blocking or not. 501 without Tunix.

    Reads the whole data file. `views` contains the rows listed in `rows`, or the first one of each pick.
    """
    manifest = RunManifest.from_dict(body.manifest)
    found = pipeline.manifests.preflight(manifest, sample_rows=0 if body.rows else 1).allowing(body.allow)
    views = pipeline.manifests.preflight_rows(manifest, body.rows) if body.rows and found.totals else found.views
    return Preflight.model_validate({**found.to_dict(), "views": to_dict(views), "blocked": bool(found.blocking)})
