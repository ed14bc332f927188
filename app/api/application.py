"""The FastAPI application under /api: routes, errors, limits, OpenAPI description."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from app.api.answers import Error
from app.api.docs_page import docs_page
from app.api.errors import add_error_handlers
from app.api.limits import BodyLimit
from app.api.routes import (
    builds,
    datasets,
    diagnostics,
    dry_runs,
    evaluations,
    file_imports,
    imports,
    model_exports,
    playground,
    preflight,
    queue,
    runs,
    traces,
    tunix,
)
from tunixrt_core import __version__

DESCRIPTION = (
    "Everything the dashboard does, for scripts. Where the server asks for an access token, send it as "
    "`Authorization: Bearer TOKEN`. Every error is JSON of one shape."
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Error, "description": "The request cannot be done as it stands; the message says why."},
    "5XX": {"model": Error, "description": "The server cannot do it."},
}


def build_api(max_upload_mb: int) -> FastAPI:
    """The API over `app.state.get_pipeline()`, to be mounted at /api."""
    api = FastAPI(
        title="Tunix RT",
        version=__version__,
        description=DESCRIPTION,
        # the stock pages load scripts from the internet
        docs_url=None,
        redoc_url=None,
        root_path_in_servers=False,
        servers=[{"url": "/api"}],
        responses=_ERRORS,
        # one address for a thing; with or without a slash at its end are not the same
        redirect_slashes=False,
    )
    api.add_middleware(BodyLimit, megabytes=max_upload_mb)
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
        runs,
        model_exports,
        queue,
        evaluations,
        playground,
        diagnostics,
    ):
        api.include_router(part.router)

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi()))

    return api
