"""Requests are spans where a collector is named, without the query of their address, and nothing breaks without."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from app.operators import spans
from tests.helpers.servers import start_server

NAMES = ("opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http")
INSTALLED = all(importlib.util.find_spec(name) for name in NAMES)


def test_without_a_collector_there_is_no_tracer() -> None:
    assert spans.tracer_of({"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


@pytest.mark.skipif(INSTALLED, reason="OpenTelemetry is installed")
def test_a_collector_without_the_packages_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert spans.tracer_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set" in caplog.text
    assert "tunix-rt[otel]" in caplog.text


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a collector that keeps what it is sent."""
    sent: list[bytes] = []

    class Keeps(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeps)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not INSTALLED, reason="OpenTelemetry is not installed: pip install -e '.[otel]'")
def test_a_request_is_a_span_without_the_token_of_its_address(
    tmp_path: Path, collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    address, sent = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    server = start_server(tmp_path / "home")
    traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    httpx.get(f"{server.url}/api/runs?token={server.token}", headers={"traceparent": traced}, timeout=60)
    code, log = server.end()
    assert code == 0, log
    whole = b"".join(sent)
    assert server.token.encode() not in whole
    found = [
        span
        for body in sent
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.name == "GET api"
    ]
    (span,) = found
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    told = {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
    assert told == {"http.request.method": "GET", "url.path": "/api/runs", "http.response.status_code": 200}
    assert b"tunix-rt" in whole
