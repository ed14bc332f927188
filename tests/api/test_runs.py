"""Runs and evaluations through the API, over the real queue; the trainer is a fake but for the last test."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import state
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings


@pytest.fixture
def api(trains: Pipeline, application: FastAPI) -> TestClient:
    return TestClient(application, raise_server_exceptions=False)


def manifest(pipeline: Pipeline, train_steps: int = 5, **options: str) -> dict[str, Any]:
    made = pipeline.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": train_steps}, **options)
    return made.to_dict()


def start(api: TestClient, pipeline: Pipeline, **body: Any) -> dict[str, Any]:
    answer = api.post("/runs", json={"manifest": manifest(pipeline), **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_run_is_started_watched_and_found_again(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert run["status"] in {"queued", "loading", "compiling", "running", "succeeded"}
    assert run["dataset"]["name"] == "mine"
    assert trains.queue.wait(20)
    found = api.get(f"/runs/{run['id']}").json()
    assert found["status"] == found["state"]["status"] == "succeeded"
    assert found["state"]["train_step"] == 5
    assert found["manifest"] == run["manifest"]
    assert [item["id"] for item in api.get("/runs").json()["runs"]] == [run["id"]]


def test_metrics_are_read_from_where_one_left_off(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert trains.queue.wait(20)
    whole = api.get(f"/runs/{run['id']}/metrics").json()
    assert [record["train_step"] for record in whole["records"] if record["kind"] == "train"] == [1, 2, 3, 4, 5]
    rest = api.get(f"/runs/{run['id']}/metrics?since={whole['next']}").json()
    assert rest == {"records": [], "next": whole["next"]}


def test_a_folder_holds_one_run_only(api: TestClient, trains: Pipeline) -> None:
    body = {"manifest": manifest(trains, output_dir="mine")}
    assert api.post("/runs", json=body).status_code == 201
    second = api.post("/runs", json=body)
    assert second.status_code == 409
    assert "output_dir" in second.json()["error"]["message"]


def test_an_output_directory_that_cannot_be_written_is_a_sentence(api: TestClient, trains: Pipeline) -> None:
    blocked = trains.settings.runs_dir / "a-file"
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("")
    answer = api.post("/runs", json={"manifest": manifest(trains, output_dir=str(blocked / "run"))})
    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "output_error"
    assert "output_dir" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("output_dir", "/etc"),
        ("output_dir", "../../x"),
        ("output_dir", "a\0b"),
        ("output_dir", "x" * 5_000),
        ("data.path", "/proc/kmsg"),
        ("data.path", "a\0b"),
        ("model.id", "x" * 5_000),
        ("name", "\ud800"),
    ],
    ids=range(8),
)
def test_a_path_that_leads_out_of_the_home_or_is_none_is_422_and_names_its_key(
    api: TestClient, trains: Pipeline, key: str, value: str
) -> None:
    body = manifest(trains)
    section, _, last = key.rpartition(".")
    (body[section] if section else body)[last] = value
    for address in ("/runs", "/preflight", "/dry-runs"):
        # as ASCII: what no UTF-8 can hold is possible in JSON
        answer = api.post(address, content=json.dumps({"manifest": body}), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["details"]["key"]) == (422, key)
    assert not Path("/etc/state.json").exists()


def test_a_wrong_manifest_names_every_wrong_key(api: TestClient, trains: Pipeline) -> None:
    body = manifest(trains)
    body["optimizer"]["learning_rate"] = -1
    body["optimiser"] = {}
    answer = api.post("/runs", json={"manifest": body})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_manifest"
    assert {item["key"] for item in error["details"]["errors"]} == {"optimizer.learning_rate", "optimiser"}


def test_a_running_run_is_stopped_and_resumed(api: TestClient, trains: Pipeline) -> None:
    answer = api.post("/runs", json={"manifest": manifest(trains, train_steps=100_000)})
    run = f"/runs/{answer.json()['id']}"
    while not api.get(f"{run}/metrics").json()["records"]:
        time.sleep(0.01)
    stopped = api.post(f"{run}/stop")
    assert stopped.status_code == 202
    assert trains.queue.wait(20)
    assert api.get(run).json()["status"] == "stopped"
    assert api.post(f"{run}/stop").status_code == 409
    resumed = api.post(f"{run}/resume")
    assert resumed.status_code == 202
    assert api.post(f"{run}/resume").status_code == 409
    api.post(f"{run}/stop")
    assert trains.queue.wait(20)


def test_a_finished_run_trains_for_longer(api: TestClient, trains: Pipeline) -> None:
    run = f"/runs/{start(api, trains)['id']}"
    assert trains.queue.wait(20)
    assert api.post(f"{run}/resume").status_code == 409
    assert api.post(f"{run}/resume", json={"train_steps": 9, "epochs": 1}).status_code == 422
    said = api.post(f"{run}/resume", json={"train_steps": 9, "dry_run": True}).json()
    assert (said["status"], said["learning_rate"]["schedule"]) == ("succeeded", "stretch")
    assert said["learning_rate"]["choices"]["keep"] == said["learning_rate"]["before"]
    assert api.post(f"{run}/resume", json={"train_steps": 9, "schedule": "other"}).status_code == 422
    longer = api.post(f"{run}/resume", json={"train_steps": 9})
    assert longer.status_code == 202
    assert longer.json()["learning_rate"] == said["learning_rate"]
    assert longer.json()["manifest"]["duration"] == {"train_steps": 9, "epochs": None}
    assert trains.queue.wait(20)
    assert api.get(run).json()["state"]["train_step"] == 9


def test_a_checkpoint_is_asked_for_only_while_it_trains(api: TestClient, trains: Pipeline) -> None:
    answer = api.post("/runs", json={"manifest": manifest(trains, train_steps=100_000)})
    run = f"/runs/{answer.json()['id']}"
    until = time.monotonic() + 20
    while not api.get(f"{run}/metrics").json()["records"]:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert api.post(f"{run}/save").status_code == 202
    while "checkpoint" not in {record["kind"] for record in api.get(f"{run}/metrics").json()["records"]}:
        assert time.monotonic() < until
        time.sleep(0.01)
    api.post(f"{run}/stop")
    assert trains.queue.wait(20)
    assert api.post(f"{run}/save").status_code == 409


def test_a_clone_is_a_manifest_that_starts_a_run_and_both_are_compared(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert trains.queue.wait(20)
    cloned = api.post(f"/runs/{run['id']}/clone", json={"hyperparameters": {"learning_rate": 1e-4}})
    assert cloned.json()["changed"] == [{"key": "optimizer.learning_rate", "values": [0.003, 0.0001]}]
    assert "learning_rate: 0.0001" in cloned.json()["yaml"]
    other = api.post("/runs", json={"manifest": cloned.json()["manifest"], "parent": run["id"]}).json()
    assert run["parent"] is None
    assert other["parent"] == {"run": run["id"], "changed": cloned.json()["changed"]}
    assert trains.queue.wait(20)
    compared = api.get("/runs/compare", params={"id": [run["id"], other["id"]]}).json()
    assert [each["id"] for each in compared["runs"]] == ["r-0001", "r-0002"]
    assert compared["differences"] == cloned.json()["changed"]
    assert [each["train_step"] for each in compared["summaries"]] == [5, 5]
    assert len(api.get("/runs/compare", params={"id": ["r-0001"], "all": True}).json()["differences"]) > 20
    assert api.get("/runs/compare", params={"id": []}).status_code == 422
    assert api.get("/runs/compare", params={"id": ["r-0001", "r-0009"]}).status_code == 404
    wrong = api.post(f"/runs/{run['id']}/clone", json={"hyperparameters": {"rate": 1}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_manifest")


def test_the_queue_is_shown_moved_and_shortened(api: TestClient, trains: Pipeline) -> None:
    assert api.get("/queue").json() == {"holder": None, "waiting": []}
    ids = [api.post("/runs", json={"manifest": manifest(trains, train_steps=100_000)}).json()["id"] for _ in range(4)]
    until = time.monotonic() + 20
    while len(api.get("/queue").json()["waiting"]) > 3:
        assert time.monotonic() < until
        time.sleep(0.01)
    queue = api.get("/queue").json()
    assert (queue["holder"]["run"], queue["holder"]["kind"], queue["holder"]["here"]) == (ids[0], "train", True)
    moved = api.post(f"/queue/{ids[3]}/move", json={"by": -2}).json()
    assert [job["id"] for job in moved["waiting"]] == [ids[3], ids[1], ids[2]]
    left = api.post(f"/queue/{ids[1]}/remove").json()
    assert [job["id"] for job in left["waiting"]] == [ids[3], ids[2]]
    assert api.get(f"/runs/{ids[1]}").json()["status"] == "stopped"
    assert api.post(f"/queue/{ids[1]}/remove").status_code == 404
    for run in (ids[2], ids[3], ids[0]):
        api.post(f"/runs/{run}/stop")
    assert trains.queue.wait(20)


def test_a_run_is_evaluated_and_base_compared_with_tuned(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert trains.queue.wait(20)
    path = f"/runs/{run['id']}/evaluations"
    assert api.get(path).json() == {"evaluations": [], "comparison": None}
    queued = api.post(path, json={"limit": 4})
    assert queued.status_code == 202
    assert {item["target"] for item in queued.json()["evaluations"]} == {"base", "tuned"}
    assert trains.queue.wait(20)
    done = api.get(path).json()
    assert {item["target"]: item["metrics"]["exact_match"] for item in done["evaluations"]} == {"base": 0, "tuned": 1}
    assert done["comparison"]["fixed"] == 4
    assert sorted(item["prompt"] for item in done["evaluations"]) == ["own", "run", "run"]
    assert (done["comparison"]["own_gain"]["fixed"], done["comparison"]["own_gain"]["own"]) == (4, 0)
    ids = {item["target"]: item["id"] for item in done["evaluations"]}
    tuned = api.get(f"/evaluations/{ids['tuned']}").json()
    assert tuned["status"] == "succeeded"
    assert (tuned["progress"]["done"], tuned["progress"]["total"], tuned["train_step"]) == (4, 4, 5)
    assert api.get("/evaluations/compare", params={"first": ids["base"], "second": ids["tuned"]}).json()["fixed"] == 4
    over = api.post(f"/evaluations/{ids['tuned']}/stop")
    assert (over.status_code, "nothing to stop" in over.json()["error"]["message"]) == (409, True)
    assert len(tuned["predictions"]) == 4
    assert tuned["predictions"][0]["scores"]["exact_match"] == 1


def test_an_evaluation_needs_no_body_and_may_be_of_one_target(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert trains.queue.wait(20)
    path = f"/runs/{run['id']}/evaluations"
    assert len(api.post(path).json()["evaluations"]) == 3
    assert trains.queue.wait(20)
    assert api.post(path, json={"targets": ["base"]}).status_code == 202
    assert api.post(path, json={"targets": ["other"]}).status_code == 422
    assert api.post(path, json={"limit": 0}).status_code == 422
    without = {"targets": ["base"], "limit": 2, "own_prompt": False}
    assert [item["prompt"] for item in api.post(path, json=without).json()["evaluations"]].count("own") == 1
    assert trains.queue.wait(20)


def test_a_run_that_goes_on_is_not_evaluated(api: TestClient, trains: Pipeline) -> None:
    answer = api.post("/runs", json={"manifest": manifest(trains, train_steps=100_000)})
    run = f"/runs/{answer.json()['id']}"
    assert api.post(f"{run}/evaluations").status_code == 409
    api.post(f"{run}/stop")
    assert trains.queue.wait(20)


def test_the_listing_of_runs_pages(api: TestClient, trains: Pipeline) -> None:
    made = [start(api, trains)["id"] for _ in range(3)]
    first = api.get("/runs?limit=2").json()
    second = api.get("/runs", params={"limit": 2, "after": first["next"]}).json()
    assert [run["id"] for run in first["runs"] + second["runs"]] == made[::-1]
    assert second["next"] is None
    assert trains.queue.wait(20)


@pytest.mark.parametrize("path", ["", "/metrics", "/evaluations", "/stop", "/save", "/resume", "/clone"])
def test_an_unknown_run_is_404(api: TestClient, path: str) -> None:
    method = "POST" if path in {"/stop", "/save", "/resume", "/clone"} else "GET"
    answer = api.request(method, f"/runs/r-9999{path}")
    assert answer.status_code == 404
    assert "r-9999" in answer.json()["error"]["message"]


@pytest.mark.parametrize("run_id", ["..", "%2e%2e%2fx", "-x", "x" * 200])
def test_an_impossible_run_id_never_reaches_the_disk(api: TestClient, run_id: str) -> None:
    assert api.get(f"/runs/{run_id}/metrics").status_code in {404, 422}


@pytest.mark.parametrize("query", ["since=-1", "since=x", "since=99999999999999999999"])
def test_an_impossible_cursor_is_422(api: TestClient, trains: Pipeline, query: str) -> None:
    run = start(api, trains)
    assert api.get(f"/runs/{run['id']}/metrics?{query}").status_code == 422
    assert trains.queue.wait(20)


def test_a_run_whose_folder_is_gone_is_still_listed(api: TestClient, trains: Pipeline) -> None:
    run = start(api, trains)
    assert trains.queue.wait(20)
    Path(run["directory"]).rename(trains.settings.home / "elsewhere")
    found = api.get(f"/runs/{run['id']}")
    assert found.status_code == 200
    assert found.json()["state"] is None


@pytest.mark.tunix
@pytest.mark.slow
def test_tunix_trains_a_run_that_the_api_started(tmp_path: Path, application: FastAPI) -> None:
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})) as pipeline:
        state.set_pipeline(pipeline)
        api = TestClient(application)
        pipeline.traces.ingest_examples(40)
        assert api.post("/datasets", json={"name": "mine"}).status_code == 201
        made = api.post(
            "/tunix/sft/manifest",
            json={"dataset": "mine", "model_id": "tiny-micro", "hyperparameters": {"train_steps": 3, "batch_size": 4}},
        ).json()
        run = f"/runs/{api.post('/runs', json={'manifest': made['manifest']}).json()['id']}"
        assert pipeline.queue.wait(120)
        assert api.get(run).json()["status"] == "succeeded", api.get(run).text
        records = api.get(f"{run}/metrics").json()["records"]
        assert [record["train_step"] for record in records if record["kind"] == "train"] == [1, 2, 3]
        state.set_pipeline(None)


def test_several_processes_are_refused_by_a_server_that_trains_in_one(api: TestClient, trains: Pipeline) -> None:
    answer = api.post("/runs", json={"manifest": manifest(trains), "processes": 2})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("processes: 2, and this server trains in one")
    assert not api.get("/runs").json()["runs"]
    assert api.post("/runs", json={"manifest": manifest(trains), "processes": 0}).status_code == 422
    run = f"/runs/{start(api, trains)['id']}"
    assert trains.queue.wait(20)
    assert api.get(run).json()["state"]["processes"] == 1
    answer = api.post(f"{run}/resume", json={"train_steps": 1_000, "processes": 2})
    assert (answer.status_code, api.get(run).json()["status"]) == (422, "succeeded")
