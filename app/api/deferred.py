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
        self._api: tuple[ASGIApp, ASGIApp] | None = None  # as it is, and packed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{_ROOT}/"):
            await self._app(scope, receive, send)
            return
        plain, packed = await asyncio.to_thread(self._build) if self._api is None else self._api
        api = packed if _takes_gzip(scope) else plain
        await api({**scope, "root_path": _ROOT, "app_root_path": scope.get("root_path", "")}, receive, send)

    def _build(self) -> tuple[ASGIApp, ASGIApp]:
        from starlette.middleware.gzip import GZipMiddleware

        from app.api.application import build_api

        with self._lock:
            # two first requests may arrive at once
            if self._api is None:
                api = build_api(self._max_upload_mb)
                self._api = api, GZipMiddleware(api, compresslevel=_LEVEL)
            return self._api


def _takes_gzip(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])
