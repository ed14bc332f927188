"""What a client refuses is not among the codings that it accepts."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.server.codings import RefusedCodings


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [
        ("gzip, br", "gzip, br"),
        ("gzip;q=0", ""),
        ("br;q=1.0, gzip; Q = 0.000, *;q=0.5", "br;q=1.0, *;q=0.5"),
        ("gzip;q=0.001", "gzip;q=0.001"),
        ("identity;q=0,gzip", "gzip"),
    ],
)
def test_codings_of_weight_0_are_left_out(sent: str, accepted: str) -> None:
    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(Request(scope).headers["accept-encoding"])(scope, receive, send)

    assert TestClient(RefusedCodings(told)).get("/", headers={"accept-encoding": sent}).text == accepted
