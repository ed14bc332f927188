"""The API, built at the first request below /api."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


_ROOT = "/api"
_LEVEL = 4  # of gzip: for curves the highest one takes 20 times as long, and saves 4 %


class DeferredApi:
    """ASGI middleware that answers what is below /api, before the dashboard's own layers.

    FastAPI with its routes and models loads more slowly than the dashboard answers its first page. The API is built in
    a thread, so that pages are served meanwhile.
    """

    def __init__(self, app: ASGIApp, *, max_upload_mb: int) -> None:
        self._app = app
        self._max_upload_mb = max_upload_mb
        self._lock = threading.Lock()
        self._api: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # in capitals it is no address of the API, which says so; a page would be no answer to a program
        if scope["type"] != "http" or not scope["path"].lower().startswith(f"{_ROOT}/"):
            await self._app(scope, receive, send)
            return
        api = await asyncio.to_thread(self._build) if self._api is None else self._api
        await api({**scope, "root_path": _ROOT, "app_root_path": scope.get("root_path", "")}, receive, send)

    def _build(self) -> ASGIApp:
        from starlette.middleware.gzip import GZipMiddleware

        from app.api.application import build_api

        with self._lock:
            # two first requests may arrive at once
            if self._api is None:
                self._api = GZipMiddleware(build_api(self._max_upload_mb), compresslevel=_LEVEL)
            return self._api
