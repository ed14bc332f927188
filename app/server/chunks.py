"""Long caching of the component's chunks."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# esbuild names a chunk by the hash of its content; the entry, ui.js, has no hash in its name
_CHUNK = re.compile(r"/_stcore/bidi-components/[^/]+/c-[0-9A-Z]{8}\.js")


class KeptChunks:
    """ASGI middleware that lets browsers keep chunks for a year: Streamlit sends its assets without a validator."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_cache(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(raw=message["headers"])["cache-control"] = "private, max-age=31536000, immutable"
            await send(message)

        chunk = scope["type"] == "http" and _CHUNK.fullmatch(scope["path"])
        await self._app(scope, receive, with_cache if chunk else send)
