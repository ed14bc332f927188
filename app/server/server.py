"""The server: dashboard, JSON API and health check behind the access gate."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit.starlette import App

from app import state
from app.api.deferred import DeferredApi
from app.operators.requests import Counted, Requests
from app.operators.routes import monitor_routes
from app.server.chunks import KeptChunks
from app.server.codings import RefusedCodings
from app.server.gate.access import access_token
from app.server.gate.gate import Gate
from app.server.gate.oidc import oidc_of
from app.server.gate.request import known_hosts
from app.server.headers import page_headers
from app.server.index_page import page_routes
from app.server.ports import in_url
from app.server.shutdown import end_open_responses, exit_within, outlive_terminal
from app.server.theme_message import send_theme_from_memory
from app.visitor import visitor
from tunixrt_core.pipeline.pipeline import open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.util.actors import find_actors_by

HERE = Path(__file__).resolve().parents[1]  # folder of the entry script, its theme and static files
STUCK_SECONDS = 5.0  # that the process waits for threads that are stuck, such as in a network folder
GRACE_SECONDS = 5.0  # time that open downloads may delay the shutdown
_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Lifespan = Callable[[App], AbstractAsyncContextManager[None]]


def build_app(settings: Settings, *, auth: bool, on_start: Callable[[str], None] = lambda address: None) -> App:
    """The ASGI application. `on_start` is called with the address to open once it listens.

    Its pages and its API use `app.state.get_pipeline()`. Raises OutputError if the access token cannot be written.
    """
    token = access_token(settings) if auth else None
    oidc, secrets = oidc_of(settings, token) if token else (None, {})
    find_actors_by(visitor)
    requests = Requests()
    return App(
        HERE / "main.py",
        routes=[
            *monitor_routes(requests),
            # without its own route, /api would be answered by the dashboard, with a page
            Route("/api", _to_docs, methods=_ALL_METHODS),
            *page_routes(),
        ],
        middleware=[
            *_spans(os.environ),
            Middleware(Counted, requests=requests),
            Middleware(
                Gate,
                token=token,
                hosts=known_hosts(settings),
                oidc=oidc,
                tokens=lambda: state.get_pipeline().users.all(),
                any_ip=token is not None,
                open_metrics=settings.metrics == "open",
            ),
            Middleware(RefusedCodings),
            Middleware(DeferredApi, max_upload_mb=settings.max_upload_mb),
            Middleware(KeptChunks),
        ],
        exception_handlers={Exception: _internal_error},
        secrets=secrets,
        lifespan=_lifespan(lambda: on_start(address(settings, token))),
    )


def _spans(environ: Mapping[str, str]) -> list[Middleware]:
    if not any(name.startswith("OTEL_EXPORTER_OTLP_") for name in environ):
        return []
    from app.operators.spans import Spans, tracer_of

    tracer = tracer_of(environ)
    return [] if tracer is None else [Middleware(Spans, tracer=tracer)]


def serve(settings: Settings, *, auth: bool, on_start: Callable[[str], None]) -> None:
    """Listen until SIGTERM or SIGINT, then stop running jobs and close the home. A closed terminal ends nothing.

    Raises StoreError or OutputError if the home cannot be opened. Leaves by SystemExit(0) when told to stop.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    outlive_terminal()
    send_theme_from_memory()
    try:
        with open_pipeline(settings, serves=True) as pipeline:
            state.set_pipeline(pipeline)
            pipeline.queue_again()
            build_app(settings, auth=auth, on_start=on_start).run(config=streamlit_config(settings))
    finally:
        exit_within(STUCK_SECONDS)


def streamlit_config(settings: Settings) -> dict[str, Any]:
    """Streamlit's options. `App.run` ignores STREAMLIT_* variables, so these are all."""
    return {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": settings.max_upload_mb,
        "server.enableStaticServing": True,
        # garbage collection after every script run makes a rerun nine times slower
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
        # content that the browser already has is sent as a hash, such as unchanged charts of a live run
        "global.minCachedMessageSize": 100,
        # the zoom slider has a default, and is set again when the run grows; both are intended
        "global.disableWidgetStateDuplicationWarning": True,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        # the address it prints lacks the token
        "logger.hideWelcomeMessage": True,
        "theme.base": str(HERE / "theme.toml"),
    }


def address(settings: Settings, token: str | None = None) -> str:
    """The address to open in a browser, with the token if there is one."""
    return f"http://{in_url(settings.host)}:{settings.port}/" + (f"?token={token}" if token else "")


def _lifespan(started: Callable[[], None]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[None]:
        with end_open_responses(GRACE_SECONDS, last=_close_pipeline):
            started()
            yield

    return lifespan


def _close_pipeline() -> None:
    state.get_pipeline().close()


def _leave(signal_number: int, frame: object) -> NoReturn:
    """Handles the signal that uvicorn raises again after its shutdown, and one before it listens."""
    raise SystemExit(0)


async def _to_docs(request: Request) -> Response:
    return RedirectResponse("/api/docs")


async def _internal_error(request: Request, error: Exception) -> Response:
    from app.api.errors import error_body  # loads FastAPI, which no page needs

    # made outside the gate, which adds the headers to all other responses
    body = error_body("internal", "Internal error. See the server's log for details.")
    # uvicorn closes the connection after an error: a client that keeps it must know
    return JSONResponse(body, status_code=500, headers={**page_headers(), "connection": "close"})
