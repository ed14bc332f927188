"""Spans of requests for OpenTelemetry, where its variables are set."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.operators.requests import part_of

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MISSING = (
    "%s is set, but OpenTelemetry is not installed, so no spans are sent. Install it: pip install 'tunix-rt[otel]'."
)
log = logging.getLogger(__name__)


def tracer_of(environ: Mapping[str, str]) -> Tracer | None:
    """A tracer that sends to the collector of the `OTEL_*` variables, the last spans when the process ends; None where
    none is named.

    What is not installed is a warning: a server without spans is better than none.
    """
    named = next((name for name in ENDPOINTS if environ.get(name)), None)
    if named is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning(MISSING, named)
        return None
    name = environ.get("OTEL_SERVICE_NAME", "tunix-rt")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("tunixrt")


class Spans:
    """ASGI middleware: a span per HTTP request, with the address without its query, which may hold the access token."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        told = {"http.request.method": scope["method"], "url.path": scope["path"]}
        name = f"{scope['method']} {part_of(scope['path'])}"
        with self._tracer.start_as_current_span(
            name, context=extract(headers), kind=SpanKind.SERVER, attributes=told
        ) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, watched)
