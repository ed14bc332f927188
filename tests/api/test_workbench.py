"""The routes behind the list of runs and its charts: the table, curves, tags, notes and the archive."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.test_runs import start
from tests.runs.test_figures import append
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.metrics import Alert, CheckpointMetric, TrainMetric
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util.owners import this_owner


@pytest.fixture
def api(trains: Pipeline, application: FastAPI) -> TestClient:
    return TestClient(application, raise_server_exceptions=False)


@pytest.fixture
def run(api: TestClient, trains: Pipeline) -> str:
    made = start(api, trains)
    assert trains.queue.wait(20)
    return str(made["id"])


def rows(answer: Any) -> list[dict[str, Any]]:
    found = answer.json()
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def test_the_table_holds_every_run_and_an_unchanged_one_costs_nothing(api: TestClient, run: str) -> None:
    answer = api.get("/runs/table")
    (row,) = rows(answer)
    assert (row["id"], row["status"], row["model"], row["train_step"]) == (run, "succeeded", "tiny", 5)
    assert row["dataset"] == "mine:1"
    assert row["train_loss"] is not None
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in api.get("/runs/table", headers={"accept-encoding": "identity"}).headers
    same = api.get("/runs/table", headers={"if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    since = api.get("/runs/table", params={"since": answer.json()["version"]}).json()
    assert (since["whole"], since["rows"], since["gone"]) == (False, [], [])


def test_the_newest_runs_have_the_shape_of_their_loss_and_archived_ones_are_left_out(
    api: TestClient, trains: Pipeline, run: str
) -> None:
    append(
        trains.runs.folder(run),
        *(TrainMetric(train_step=step, loss=9 / step, learning_rate=1e-4) for step in range(6, 300)),
    )
    (told,) = api.get("/runs/recent").json()["runs"]
    assert (told["id"], told["status"], told["dataset"], told["tuned"]) == (run, "succeeded", "mine:1", None)
    assert 30 < len(told["curve"]) <= 60
    assert told["curve"][-1] == pytest.approx(9 / 299, rel=0.1)
    trains.runs.annotate(run, archived=True)
    assert api.get("/runs/recent").json() == {"runs": [], "reading": 0}


def test_a_run_is_tagged_noted_and_archived_in_its_folder(api: TestClient, trains: Pipeline, run: str) -> None:
    version = api.get("/runs/table").json()["version"]
    body = {"add_tags": ["good", "to show"], "note": "Longer answers.", "archived": True}
    told = api.patch(f"/runs/{run}", json=body).json()
    assert (told["tags"], told["note"], told["archived"]) == (["good", "to show"], "Longer answers.", True)
    assert b"Longer answers." in trains.runs.folder(run).annotations_file.read_bytes()
    (row,) = rows(api.get("/runs/table", params={"since": version}))
    assert (row["tags"], row["archived"]) == (["good", "to show"], True)
    told = api.patch(f"/runs/{run}", json={"remove_tags": ["good"]}).json()
    assert (told["tags"], told["note"], told["archived"]) == (["to show"], "Longer answers.", True)


def test_annotations_that_cannot_be_are_refused(api: TestClient, run: str) -> None:
    assert api.patch(f"/runs/{run}", json={"add_tags": ["two\nlines"]}).status_code == 422
    assert api.patch(f"/runs/{run}", json={"colour": "red"}).status_code == 422
    assert api.patch("/runs/r-0999", json={"note": "x"}).status_code == 404


def test_curves_of_several_runs_come_in_one_answer(api: TestClient, trains: Pipeline, run: str) -> None:
    other = start(api, trains)["id"]
    assert trains.queue.wait(20)
    asked = {"run": [run, other], "metric": ["loss", "unknown"], "smoothing": 0.9}
    first, second = api.get("/runs/series", params=asked).json()["series"]
    assert (first["id"], second["id"]) == (run, other)
    assert first["curves"]["loss"]["s"] == [1, 2, 3, 4, 5]
    assert first["curves"].keys() == {"loss", "loss~"}
    assert first["over"]
    assert first["whole"]
    assert api.get("/runs/series", params={"run": ["r-0999"]}).status_code == 404


@pytest.fixture
def live(trains: Pipeline, run: str) -> str:
    """The run, as if this process were training it."""
    folder = trains.runs.folder(run)
    folder.metrics_file.write_bytes(b"")
    append(folder, *(TrainMetric(train_step=n, loss=9.0 - n, trained_tokens=50, time=2.0 * n) for n in (1, 2, 3)))
    told = RunState(RunStatus.RUNNING, train_step=3, total_train_steps=9, started_at=5.0, owner=this_owner())
    folder.write_state(told)
    return run


def ask(api: TestClient, **query: Any) -> dict[str, Any]:
    answer = api.get("/runs/series", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["series"][0])


def test_of_a_run_that_trains_only_new_points_are_sent(api: TestClient, trains: Pipeline, live: str) -> None:
    first = ask(api, run=live, metric="loss")
    assert not first["over"]
    folder = trains.runs.folder(live)
    append(folder, CheckpointMetric(train_step=3, reason="cadence"), TrainMetric(train_step=4, loss=4.0))
    second = ask(api, next=first["next"], metric="loss")
    assert not second["whole"]
    assert second["curves"] == {"loss": {"s": [4], "y": [4.0]}}
    assert second["events"] == [{"s": 3, "x": 3.0, "kind": "checkpoint", "words": "Checkpoint (cadence)"}]
    third = ask(api, next=second["next"], metric="loss")
    assert (third["curves"], third["events"]) == ({}, [])


def test_after_a_resume_the_curve_is_sent_anew(api: TestClient, trains: Pipeline, live: str) -> None:
    first = ask(api, run=live, metric="loss")
    folder = trains.runs.folder(live)
    folder.metrics_file.write_bytes(b"")
    append(folder, *(TrainMetric(train_step=n, loss=5.0) for n in (1, 2)))
    folder.write_state(RunState(**{**folder.state().to_dict(), "started_at": 7.0}))
    again = ask(api, next=first["next"], metric="loss")
    assert again["whole"]
    assert again["curves"]["loss"] == {"s": [1, 2], "y": [5.0, 5.0]}


def test_curves_run_along_tokens_or_time_and_between_two_ends(api: TestClient, live: str) -> None:
    assert ask(api, run=live, metric="loss", x="tokens")["curves"]["loss"]["x"] == [50, 100, 150]
    assert ask(api, run=live, metric="loss", x="time")["curves"]["loss"]["x"] == [2, 4, 6]
    assert ask(api, run=live, metric="loss", x="time", first=3, last=5)["curves"]["loss"]["s"] == [2]


def test_a_thinned_curve_keeps_every_spike(api: TestClient, trains: Pipeline, live: str) -> None:
    spikes = {777: 90.0, 1500: -70.0}
    records = (TrainMetric(train_step=n, loss=spikes.get(n, 1.0)) for n in range(4, 3000))
    append(trains.runs.folder(live), *records, Alert(train_step=777, alert="loss_spike", evidence="90 is high"))
    told = ask(api, run=live, metric="loss", points=100)
    curve = told["curves"]["loss"]
    assert len(curve["s"]) <= 102
    assert {90.0, -70.0} <= set(curve["y"])
    assert told["events"][0]["words"] == "Loss spike: 90 is high"


def test_the_newest_numbers_come_with_the_curves_where_asked(api: TestClient, live: str) -> None:
    told = ask(api, run=live, metric="loss", tiles=True)
    assert told["tiles"][0] == ["6.000", "", ""]
    assert told["share"] == 0.3333
    assert "train step 3 of 9" in told["line"]
    assert "tiles" not in ask(api, run=live, metric="loss")


def test_every_record_is_in_the_csv(api: TestClient, live: str) -> None:
    answer = api.get("/runs/curves.csv", params={"id": [live]})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[:2] == [
        "run,train_step,trained_tokens,seconds,train_loss,eval_loss",
        f"{live},1,50,2,8,",
    ]
