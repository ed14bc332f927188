"""Who may only read is told so whatever was sent, and may send what changes nothing."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from tests.api.conftest import trace
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.actors import Actor, acting_as

READINGS = {
    "/traces/preview",
    "/traces/doctor",
    "/preflight",
    "/tunix/sft/export",
    "/tunix/sft/manifest",
    "/runs/{id}/clone",
}


@pytest.fixture
def reader(pipeline: Pipeline, application: FastAPI) -> TestClient:
    async def as_reader(scope: Scope, receive: Receive, send: Send) -> None:
        with acting_as(Actor("rea", "API", writes=False)):
            await application(scope, receive, send)

    return TestClient(as_reader, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("body", "kind"), [(b"{", "application/json"), (b'{"unknown": 1}', "application/json"), (b"", "text/plain")]
)
def test_what_changes_something_is_refused_before_its_body(
    reader: TestClient, application: FastAPI, body: bytes, kind: str
) -> None:
    for path, operations in application.openapi()["paths"].items():
        for method in operations.keys() & {"post", "put", "patch"}:
            address = path.format(id="r-0001")
            answer = reader.request(method, address, content=body, headers={"content-type": kind})
            if path in READINGS:
                assert answer.status_code != 403, path
            elif "requestBody" in operations[method]:
                assert answer.status_code == 403, path
                assert answer.json()["error"]["message"].startswith("rea may only read: nothing was changed")


def test_values_that_the_core_refuses_are_refused_to_a_reader_first(reader: TestClient) -> None:
    manifest = {"manifest": {"model": {"id": "tiny"}}}
    for path, body in (("/runs", manifest), ("/traces", trace(1, meta={"n": 10**30})), ("/dry-runs", manifest)):
        assert reader.post(path, json=body).json()["error"]["code"] == "not_allowed", path
