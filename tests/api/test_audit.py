"""Who asks, who did what, and what a reader gets from each address that changes something: a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.conftest import trace
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.actors import Actor, acting_as

READER, ANA = Actor("rea", "API", writes=False), Actor("ana", "API", address="10.0.0.9")


def changes(rt: Pipeline) -> list[tuple[str, str, Any]]:
    """Requests that change something, for a home with a dataset, a run and an evaluation."""
    manifest = rt.manifests.build("mine", model_id="tiny").to_dict()
    hash = rt.traces.page(limit=1).items[0].id
    evaluation = rt.evaluations.records()[0].id
    return [
        ("POST", "/traces", trace(1)),
        ("POST", "/traces/batch", {"path": str(rt.settings.home / "some.jsonl")}),
        ("POST", "/traces/delete", {"source": "x"}),
        ("DELETE", f"/traces/{hash}", None),
        ("POST", f"/traces/{hash}/tags", {"add": ["a"]}),
        ("PUT", f"/traces/{hash}/note", {"text": "a"}),
        ("POST", "/datasets", {"name": "other"}),
        ("POST", "/dataset-builds", {"name": "other"}),
        ("POST", "/dry-runs", {"manifest": manifest}),
        ("POST", "/runs", {"manifest": manifest}),
        ("PATCH", "/runs/r-0001", {"archived": True}),
        ("POST", "/runs/r-0001/resume", {"train_steps": 99}),
        ("POST", "/runs/r-0001/stop", None),
        ("POST", "/runs/r-0001/save", None),
        ("POST", "/runs/r-0001/exports", {}),
        ("POST", "/runs/r-0001/evaluations", {}),
        ("POST", f"/evaluations/{evaluation}/stop", None),
        ("POST", f"/evaluations/{evaluation}/keep", {}),
        ("POST", "/playground", {"run_id": "r-0001", "prompt": "1 + 1?"}),
        ("POST", "/playground/release", None),
        ("POST", "/queue/r-0001/remove", None),
        ("POST", "/queue/r-0001/move", {"by": 1}),
    ]


@pytest.fixture
def trained(trains: Pipeline) -> Pipeline:
    trains.runs.start(trains.manifests.build("mine", model_id="tiny"))
    assert trains.queue.wait(30)
    trains.evaluations.start("r-0001")
    assert trains.queue.wait(60)
    return trains


def test_a_reader_is_refused_what_changes_something_and_reads_the_rest(trained: Pipeline, application: FastAPI) -> None:
    api = TestClient(application, raise_server_exceptions=False)
    for method, path, body in changes(trained):
        with acting_as(READER):
            answer = api.request(method, path, json=body)
        assert answer.status_code == 403, (path, answer.text)
        assert answer.json()["error"]["code"] == "not_allowed"
        assert "rea may only read" in answer.json()["error"]["message"]
    with acting_as(READER):
        for path in ("/me", "/traces", "/runs/r-0001", "/datasets/mine/1/export.jsonl", "/audit", "/diagnostics"):
            assert api.get(path).status_code == 200, path
        assert api.get("/me").json() == {"name": "rea", "role": "read"}
        assert api.post("/tunix/sft/export", json={"dataset": "mine"}).status_code in (200, 501)  # without Tunix


def test_the_log_is_filtered_and_paged(api: TestClient) -> None:
    with acting_as(ANA):
        for number in range(3):
            assert api.post("/traces", json=trace(number)).status_code == 201
        assert api.delete(f"/traces/{'0' * 64}").status_code == 404
    (failed,) = api.get("/audit", params={"outcome": "failed"}).json()["entries"]
    assert (failed["who"], failed["via"], failed["address"]) == ("ana", "API", "10.0.0.9")
    assert (failed["action"], failed["kind"], failed["object"]) == ("delete", "trace", "0" * 64)
    assert "There is no trace" in failed["why"]
    first = api.get("/audit", params={"limit": 3}).json()["entries"]
    rest = api.get("/audit", params={"until": first[-1]["at"]}).json()["entries"]
    assert [one["action"] for one in first + rest] == ["delete", "import", "import", "import"]
    assert api.get("/audit", params={"outcome": "lost"}).status_code == 422
