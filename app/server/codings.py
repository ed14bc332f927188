"""Codings of answers that a client refuses."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_NAME = b"accept-encoding"
_REFUSED = re.compile(rb";\s*q\s*=\s*0(?:\.0*)?\s*$", re.IGNORECASE)


class RefusedCodings:
    """ASGI middleware that takes codings of weight 0 out of Accept-Encoding.

    Starlette, which compresses for the API and for Streamlit, looks for the name of a coding alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [(name, _accepted(name, value)) for name, value in scope["headers"]]}
        await self._app(scope, receive, send)


def _accepted(name: bytes, value: bytes) -> bytes:
    if name != _NAME:
        return value
    return b",".join(coding for coding in value.split(b",") if not _REFUSED.search(coding))
