"""The API over a real Pipeline on a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import state
from app.api.application import build_api
from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home, fake_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline

MAX_UPLOAD_MB = 1


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with open_pipeline(empty_home(tmp_path / "home", TUNIXRT_ALLOW=str(tmp_path))) as opened:
        state.set_pipeline(opened)
        yield opened
        state.set_pipeline(None)


@pytest.fixture
def trains(tmp_path: Path) -> Iterator[Pipeline]:
    """A home with a dataset, whose runs end at once."""
    with fake_home(tmp_path / "trains", FakeBackend(step_seconds=0.002)) as pipeline:
        pipeline.traces.ingest_examples(40)
        pipeline.datasets.build(DatasetSpec("mine", eval_share=0.2))
        state.set_pipeline(pipeline)
        yield pipeline
        state.set_pipeline(None)


@pytest.fixture(scope="session")
def application() -> FastAPI:
    """Knows nothing but the pipeline that is set; one for all, as its first answer takes a fifth of a second."""
    return build_api(MAX_UPLOAD_MB)


@pytest.fixture
def api(pipeline: Pipeline, application: FastAPI) -> TestClient:
    return TestClient(application, raise_server_exceptions=False)


def trace(number: int, **more: Any) -> dict[str, Any]:
    """The JSON form of a small trace."""
    return {
        "prompt": f"What is {number} + {number}?",
        "steps": [f"{number} and {number} is {2 * number}"],
        "final_answer": str(2 * number),
        **more,
    }


@pytest.fixture
def ids(api: TestClient) -> list[str]:
    """Ten stored traces."""
    return [api.post("/traces", json=trace(i, source="doubles")).json()["id"] for i in range(10)]


@pytest.fixture
def dataset(api: TestClient, ids: list[str]) -> str:
    """The name of a dataset with one version that holds them."""
    answer = api.post("/datasets", json={"name": "doubles", "eval_share": 0.3})
    assert answer.status_code == 201
    return "doubles"
