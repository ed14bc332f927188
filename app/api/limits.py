"""Limits of request bodies: size and content type."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import error_body
from app.api.together import told_together
from tunixrt_core.errors import NotAllowed, TunixRTError
from tunixrt_core.ingest.columns.literals import object_with_text_answers
from tunixrt_core.pipeline.acts import require_write

JSON_TYPES = frozenset({"application/json"})
LINES_TYPES = frozenset({"application/x-ndjson", "application/jsonl", "text/csv"})
FILE_TYPES = frozenset(
    {
        "application/gzip",
        "application/octet-stream",
        "application/vnd.apache.arrow.file",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/x-bzip2",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
    }
)


class BodyLimit:
    """ASGI middleware that answers 413 to a body above `megabytes`, with or without a Content-Length header."""

    def __init__(self, app: ASGIApp, *, megabytes: int) -> None:
        self._app = app
        self._bytes = megabytes << 20
        self._text = f"The body is larger than {megabytes} MB. Send less per request, or raise --max-upload-mb."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared_length(scope) > self._bytes:
            await JSONResponse(error_body("too_large", self._text), 413)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._bytes:
                raise HTTPException(413, self._text)
            return message

        await self._app(scope, counted, send)


_READS = "tunixrt_reads"
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def reads(endpoint: _Endpoint) -> _Endpoint:
    """Mark what changes nothing of the home although it takes a body: who may only read may send it."""
    setattr(endpoint, _READS, True)
    return endpoint


class JsonRoute(APIRoute):
    """Route that answers 415 to an unsupported content type, and makes the JSON of what it reads in one go.

    Of one that changes something, who may only read gets 403, whatever is sent.
    """

    accepts = JSON_TYPES

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        whole = not any(value for name, value in given.items() if name.startswith("response_model_ex"))
        at_once = whole and given.get("methods") == ["GET"]
        super().__init__(path, told_together(endpoint) if at_once else endpoint, **given)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        methods = self.methods or set()
        takes_body = not {"POST", "PUT", "PATCH"}.isdisjoint(methods)
        changes = methods != {"GET"} and not getattr(self.endpoint, _READS, False)

        async def checked(request: Request) -> Response:
            try:
                if takes_body:
                    self._check(request)
                return await handler(request)
            except (RequestValidationError, HTTPException, TunixRTError) as error:
                if changes and not isinstance(error, NotAllowed):
                    require_write()
                raise

        return checked

    def _check(self, request: Request) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        empty = not kind and request.headers.get("content-length", "0") == "0"
        if not empty and kind not in self.accepts:
            wanted = " or ".join(sorted(self.accepts))
            raise HTTPException(415, f"The content type is {kind or 'missing'}. Send the body as {wanted}.")


class TraceRoute(JsonRoute):
    """Takes one trace. Answers that are numbers, true or false are read as their literal text."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def read(request: Request) -> Response:
            return await handler(_TraceRequest(request.scope, request.receive))

        return read


class _TraceRequest(Request):
    async def json(self) -> Any:
        return object_with_text_answers(await self.body())


class FileRoute(JsonRoute):
    """Takes any trace file: the format is detected from the content, not from the declared type."""

    accepts = JSON_TYPES | LINES_TYPES | FILE_TYPES


def _declared_length(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0
