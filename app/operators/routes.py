"""Addresses for monitors: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app import state
from app.operators.requests import Requests

READY_SECONDS = 5.0  # that the home and the database may take to answer


def monitor_routes(requests: Requests) -> list[Route]:
    """`/healthz`: the process answers. `/readyz`: so do the home and the database. `/metrics`: figures."""

    async def metrics(_: Request) -> Response:
        from app.operators.exposition import CONTENT_TYPE

        return PlainTextResponse(await asyncio.to_thread(_text, requests), media_type=CONTENT_TYPE)

    return [Route("/healthz", _healthz), Route("/readyz", _readyz), Route("/metrics", metrics)]


def _text(requests: Requests) -> str:
    from app.operators.exposition import text_of
    from app.operators.figures import families

    return text_of([*families(state.get_pipeline().watch.figures()), *requests.families()])


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _readyz(_: Request) -> Response:
    try:
        why = await asyncio.wait_for(asyncio.to_thread(_not_ready), READY_SECONDS)
    except TimeoutError:
        why = [f"the home does not answer within {READY_SECONDS:.0f} s"]
    if why:
        return JSONResponse({"status": "not ready", "why": why}, status_code=503)
    return JSONResponse({"status": "ready"})


def _not_ready() -> list[str]:
    return state.get_pipeline().watch.not_ready()
