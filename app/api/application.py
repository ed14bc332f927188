"""The FastAPI application under /api: routes, errors, limits, OpenAPI description."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from app.api.docs_page import docs_page
from app.api.errors import add_error_handlers
from app.api.limits import BodyLimit
from app.api.models.answers import Error
from app.api.parts import HeadAsGet
from app.api.routes import (
    audit,
    builds,
    datasets,
    diagnostics,
    dry_runs,
    evaluations,
    file_imports,
    imports,
    model_exports,
    places,
    playground,
    preflight,
    queue,
    runs,
    slices,
    traces,
    tunix,
)
from tunixrt_core import __version__

DESCRIPTION = (
    "All dashboard functions as a JSON API. If the server requires an access token, send it as "
    "`Authorization: Bearer TOKEN`. All errors have the same JSON shape."
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": Error,
        "description": "The request is invalid or conflicts with the current state; the message says why.",
    },
    "5XX": {"model": Error, "description": "The server failed to process the request."},
}


def build_api(max_upload_mb: int) -> FastAPI:
    """The API over `app.state.get_pipeline()`, to be mounted at /api."""
    api = FastAPI(
        title="Tunix RT",
        version=__version__,
        description=DESCRIPTION,
        # the default pages load scripts from the internet
        docs_url=None,
        redoc_url=None,
        root_path_in_servers=False,
        servers=[{"url": "/api"}],
        responses=_ERRORS,
        # one address per resource: no redirect to or from a trailing slash
        redirect_slashes=False,
    )
    api.add_middleware(BodyLimit, megabytes=max_upload_mb)
    api.add_middleware(HeadAsGet)
    add_error_handlers(api)
    for part in (
        tunix,
        imports,
        file_imports,
        traces,
        datasets,
        builds,
        preflight,
        dry_runs,
        slices,
        runs,
        model_exports,
        queue,
        evaluations,
        playground,
        places,
        diagnostics,
        audit,
    ):
        api.include_router(part.router)

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi()))

    return api
