"""The API as an ASGI application that is built at the first request under /api."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class DeferredApi:
    """FastAPI with its routes and models loads more slowly than the dashboard answers its first page.

    The API is built in a thread, so that pages are served meanwhile.
    """

    def __init__(self, max_upload_mb: int) -> None:
        self._max_upload_mb = max_upload_mb
        self._lock = threading.Lock()
        self._api: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = await asyncio.to_thread(self._build) if self._api is None else self._api
        await api(scope, receive, send)

    def _build(self) -> ASGIApp:
        from app.api.application import build_api

        with self._lock:
            # two first requests may arrive at once
            if self._api is None:
                self._api = build_api(self._max_upload_mb)
            return self._api
