"""Addresses are found by the prefix of their part, wherever the API is mounted; HEAD is answered where GET is."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api.downloads import BLOCK_BYTES
from app.api.parts import Part
from tests.api.conftest import trace
from tunixrt_core.pipeline.pipeline import Pipeline


def served(root: str) -> TestClient:
    api = FastAPI(redirect_slashes=False)
    for prefix in ("/runs", "/run"):
        part = Part(prefix=prefix)
        part.add_api_route("", lambda prefix=prefix: prefix, methods=["GET"])
        part.add_api_route("/{id}", lambda id, prefix=prefix: f"{prefix} {id}", methods=["GET"])
        api.include_router(part)
    return TestClient(Starlette(routes=[Mount(root, app=api)]) if root else api, base_url=f"http://testserver{root}")


@pytest.mark.parametrize("root", ["", "/api"])
def test_each_part_answers_below_its_prefix_alone(root: str) -> None:
    client = served(root)
    for path in ("/runs", "/run"):
        assert client.get(path).json() == path
        assert client.get(f"{path}/r-1").json() == f"{path} r-1"
    assert client.post("/runs/r-1").status_code == 405
    for missing in ("/", "/ru", "/runsr", "/running/r-1", "/x/runs"):
        assert client.get(missing).status_code == 404


def test_the_headers_are_those_of_get(api: TestClient, dataset: str) -> None:
    for path in ("/traces", "/queue", "/runs", f"/datasets/{dataset}/1", "/docs", "/openapi.json", "/runs/none"):
        whole, head = api.get(path), api.head(path)
        assert (head.status_code, head.headers) == (whole.status_code, whole.headers), path
    assert api.head("/tunix/sft/export").status_code == 405


def test_of_a_download_the_beginning_is_made(
    api: TestClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [trace(i, meta={"note": "x" * 600}) for i in range(800)]
    assert api.post("/traces/batch", json=rows).json()["inserted"] == 800
    api.post("/datasets", json={"name": "many"})
    whole = api.get("/datasets/many/1/export.jsonl")
    made = 0
    blocks = pipeline.exports.blocks

    def counted(*args: object, **given: object) -> object:
        nonlocal made
        for block in blocks(*args, **given):  # type: ignore[arg-type]
            made += len(block)
            yield block

    monkeypatch.setattr(pipeline.exports, "blocks", counted)
    head = api.head("/datasets/many/1/export.jsonl")
    assert (head.status_code, head.headers) == (200, whole.headers)
    assert 0 < made < 2 * BLOCK_BYTES < len(whole.content)
