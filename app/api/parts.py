"""How a request finds its route: by the prefix of its part, and HEAD as GET."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Part(APIRouter):
    """Routes below a prefix, whose patterns are tried for addresses below it alone: there are over a hundred."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(self.prefix, len(scope.get("root_path", ""))):
            return Match.NONE, {}
        return super().matches(scope)


class HeadAsGet:
    """ASGI middleware that answers HEAD as GET, of a stream no more than its beginning. The server drops the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def begin(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                raise _Begun

        try:
            await self._app({**scope, "method": "GET"}, receive, begin)
        except _Begun:
            await send({"type": "http.response.body", "body": b""})


class _Begun(Exception):
    """Enough of a stream was made for its headers."""
