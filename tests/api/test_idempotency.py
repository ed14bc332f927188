"""The same request sent again under one Idempotency-Key starts nothing, and is answered as the first was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import state
from tests.api.conftest import trace
from tests.helpers.homes import fake_home
from tunixrt_core.pipeline.pipeline import Pipeline

KEY = {"Idempotency-Key": "one click"}


@pytest.fixture
def rt(trains: Pipeline) -> Pipeline:
    return trains


@pytest.fixture
def api(rt: Pipeline, application: FastAPI) -> TestClient:
    return TestClient(application, raise_server_exceptions=False)


def run_body(rt: Pipeline, train_steps: int = 5, **more: Any) -> dict[str, Any]:
    made = rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": train_steps, **more})
    return {"manifest": made.to_dict()}


def finished_run(api: TestClient, rt: Pipeline) -> str:
    run_id = str(api.post("/runs", json=run_body(rt)).json()["id"])
    assert rt.queue.wait(30)
    return run_id


def test_twenty_calls_at_once_start_one_run(api: TestClient, rt: Pipeline) -> None:
    body = run_body(rt, train_steps=2000)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.post("/runs", json=body, headers=KEY), range(20)))
    assert {answer.json()["id"] for answer in answers} == {"r-0001"}
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert [run.id for run in rt.runs.page().items] == ["r-0001"]
    assert rt.queue.state().waiting == ()
    rt.runs.stop("r-0001")
    assert rt.queue.wait(30)


def test_a_manifest_made_anew_for_the_next_folder_is_the_same_request(api: TestClient, rt: Pipeline) -> None:
    first = api.post("/runs", json=run_body(rt), headers=KEY)
    again = run_body(rt)
    assert again["manifest"]["output_dir"] != first.json()["directory"]
    answer = api.post("/runs", json=again, headers=KEY)
    assert (first.status_code, answer.status_code, answer.json()["id"]) == (201, 200, first.json()["id"])
    assert rt.queue.wait(30)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-5}, {"name": "another"}])
def test_another_body_under_the_same_key_is_refused_with_a_sentence(
    api: TestClient, rt: Pipeline, change: dict[str, Any]
) -> None:
    assert api.post("/runs", json=run_body(rt), headers=KEY).status_code == 201
    answer = api.post("/runs", json=run_body(rt, **change), headers=KEY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "request_reused")
    assert "Make a new one" in answer.json()["error"]["message"]
    assert len(rt.runs.page().items) == 1
    assert rt.queue.wait(30)


def test_another_address_under_the_same_key_is_refused(api: TestClient, rt: Pipeline) -> None:
    run_id = finished_run(api, rt)
    assert api.post(f"/runs/{run_id}/evaluations", headers=KEY).status_code == 202
    assert api.post(f"/runs/{run_id}/exports", headers=KEY).status_code == 422
    assert rt.queue.wait(30)


def test_a_request_that_failed_can_be_sent_again_under_its_key(api: TestClient, rt: Pipeline) -> None:
    run_id = finished_run(api, rt)
    longer = {"train_steps": 3}
    assert api.post(f"/runs/{run_id}/resume", json=longer, headers=KEY).status_code == 409
    assert api.post(f"/runs/{run_id}/resume", json={"train_steps": 9}, headers=KEY).status_code == 202
    assert rt.queue.wait(30)


def test_a_key_survives_the_server(tmp_path: Path, rt: Pipeline, api: TestClient) -> None:
    body = run_body(rt)
    assert api.post("/runs", json=body, headers=KEY).status_code == 201
    assert rt.queue.wait(30)
    rt.close()
    with fake_home(tmp_path / "trains") as later:
        state.set_pipeline(later)
        answer = api.post("/runs", json=body, headers=KEY)
        assert (answer.status_code, answer.json()["id"]) == (200, "r-0001")
        assert len(later.runs.page().items) == 1


def test_more_train_steps_are_asked_for_once(api: TestClient, rt: Pipeline) -> None:
    run_id = finished_run(api, rt)
    body = {"train_steps": 9}
    assert api.post(f"/runs/{run_id}/resume", json=body, headers=KEY).status_code == 202
    assert rt.queue.wait(30)
    again = api.post(f"/runs/{run_id}/resume", json=body, headers=KEY)
    assert (again.status_code, again.json()["status"]) == (202, "succeeded")
    assert api.post(f"/runs/{run_id}/resume", json=body).status_code == 409, "without the key it is another request"


def test_an_evaluation_is_not_answered_anew_by_a_repeated_request(api: TestClient, rt: Pipeline) -> None:
    run_id = finished_run(api, rt)
    body = {"limit": 3, "again": True}
    states = []
    for _ in range(2):
        assert api.post(f"/runs/{run_id}/evaluations", json=body, headers=KEY).status_code == 202
        assert rt.queue.wait(30)
        states.append([record.ended_at for record in rt.evaluations.records(run_id)])
    assert states[0] == states[1]
    api.post(f"/runs/{run_id}/evaluations", json=body)
    assert rt.queue.wait(30)
    assert [record.ended_at for record in rt.evaluations.records(run_id)] != states[0], "without the key it is"


def test_an_export_is_found_again_when_it_is_done(api: TestClient, rt: Pipeline) -> None:
    run_id = finished_run(api, rt)
    first = api.post(f"/runs/{run_id}/exports", headers=KEY).json()
    assert rt.queue.wait(30)
    again = api.post(f"/runs/{run_id}/exports", headers=KEY)
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, first["id"], "succeeded")
    assert api.post(f"/runs/{run_id}/exports").status_code == 409


@pytest.mark.parametrize("path", ["/dataset-builds", "/datasets"])
def test_a_dataset_is_built_once(api: TestClient, rt: Pipeline, path: str) -> None:
    body = {"name": "other", "selection": "latest", "limit": 20}
    first = api.post(path, json=body, headers=KEY)
    assert first.status_code in (201, 202)
    if path == "/dataset-builds":
        rt.datasets.builds.wait(first.json()["id"], 30)
    rt.traces.ingest_examples(80, seed=7)  # the same selection gives another version from here on
    again = api.post(path, json=body, headers=KEY).json()
    assert [version.version for version in rt.datasets.versions("other")] == [1]
    assert again.get("id", "same") == first.json().get("id", "same")


def test_an_import_is_reported_again_as_it_was(api: TestClient, rt: Pipeline) -> None:
    lines = [trace(1), trace(2), {"prompt": "no answer"}]
    first, again = (api.post("/traces/batch", json=lines, headers=KEY).json() for _ in range(2))
    assert first["inserted"] == 2
    assert again == first
    other = api.post("/traces/batch", json=lines[:1], headers=KEY)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "request_reused")
    assert api.post("/traces/batch", json=lines).json()["duplicate"] == 2, "without the key it is read again"


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_that_cannot_be_kept_is_refused(api: TestClient, rt: Pipeline, key: str) -> None:
    answer = api.post("/runs", json=run_body(rt), headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert rt.runs.page().items == ()
