"""The API answers what is below /api, packed for who takes that; the rest goes on to the dashboard."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from app.api.deferred import DeferredApi


def test_what_is_below_api_is_the_apis_and_the_rest_is_the_dashboards() -> None:
    client = TestClient(DeferredApi(PlainTextResponse("a page"), max_upload_mb=1))
    for path in ("/", "/traces", "/api", "/apis/openapi.json"):
        assert client.get(path).text == "a page"
    capitals = client.get("/API/openapi.json")
    assert (capitals.status_code, capitals.json()["error"]["message"]) == (
        404,
        "No such endpoint. See GET /api/docs.",
    ), "addresses tell capitals apart, and a page would be no answer to a program"
    plain = client.get("/api/openapi.json", headers={"accept-encoding": "identity"})
    packed = client.get("/api/openapi.json", headers={"accept-encoding": "br, gzip"})
    assert "/runs/{id}" in plain.json()["paths"]
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    assert packed.json() == plain.json()
    missing = client.get("/api/none")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
