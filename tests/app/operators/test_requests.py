"""Requests are counted by few parts, in buckets that add up, whatever the addresses of requests."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.operators.exposition import text_of
from app.operators.requests import BUCKETS, Counted, Requests, part_of


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
        return
    if scope["path"] == "/breaks":
        raise ValueError("a bug")
    status = 404 if scope["path"] == "/gone" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_each_request_is_counted_once_with_its_status() -> None:
    requests = Requests()
    visitor = TestClient(Counted(answers, requests=requests), raise_server_exceptions=False)
    for path in ("/api/runs", "/api/traces", "/gone", "/breaks", "/healthz"):
        visitor.get(path)
    visitor.request("BREW", "/api/runs")
    assert dict(requests.done) == {
        ("api", "GET", "2xx"): 2,
        ("page", "GET", "4xx"): 1,
        ("page", "GET", "5xx"): 1,
        ("health", "GET", "2xx"): 1,
        ("api", "other", "2xx"): 1,
    }
    assert requests.open == 0


def test_a_session_counts_while_its_websocket_is_open() -> None:
    requests = Requests()
    visitor = TestClient(Counted(answers, requests=requests))
    with visitor.websocket_connect("/_stcore/stream"):
        assert requests.sessions == 1
    assert requests.sessions == 0


def test_a_websocket_that_is_refused_is_no_session() -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1008})

    requests = Requests()
    with (
        pytest.raises(WebSocketDisconnect),
        TestClient(Counted(refuses, requests=requests)).websocket_connect("/_stcore/stream"),
    ):
        pass
    assert requests.sessions == 0


def test_a_duration_is_in_every_bucket_from_its_own_on() -> None:
    requests = Requests()
    for seconds in (BUCKETS[0], 0.3, 60.0):
        requests.ended("api", "GET", 200, seconds)
    lines = text_of(requests.families()).splitlines()
    found = [line.rpartition(" ")[2] for line in lines if "_bucket" in line]
    assert found == ["1", "1", "1", "1", "1", "1", "2", "2", "2", "2", "2", "3"]
    assert 'tunixrt_http_request_seconds_count{part="api"} 3' in lines
    assert 'tunixrt_http_request_seconds_sum{part="api"} 60.305' in lines


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/", "page"),
        ("/run", "page"),
        ("/api/runs/r-0001", "api"),
        ("/_stcore/stream", "streamlit"),
        ("/_stcore/health", "health"),
        ("/app/static/logo.svg", "static"),
        ("/metrics", "metrics"),
        ("/any/thing/else", "page"),
    ],
)
def test_an_address_is_of_one_of_few_parts(path: str, part: str) -> None:
    assert part_of(path) == part
