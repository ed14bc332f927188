"""Addresses are found by the prefix of their part, wherever the API is mounted."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api.parts import Part


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
