"""The Tunix panel's API: the status in every environment; export and manifest with Tunix, a clear 501 without."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from tests.api.conftest import trace
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.tunix_backend.availability import is_tunix_available

without_tunix = pytest.mark.skipif(is_tunix_available(), reason="google-tunix is installed")


def test_the_status_is_told_in_every_environment(api: TestClient) -> None:
    answer = api.get("/tunix/status")
    assert answer.status_code == 200
    status = answer.json()
    assert status["available"] is is_tunix_available()
    assert (status["version"] is not None) is is_tunix_available()
    assert status["install"].startswith("pip install")
    assert status["device"] in {"TPU", "GPU", "CPU"}


@without_tunix
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tunix/sft/export", {"dataset": "doubles"}),
        ("/tunix/sft/manifest", {"dataset": "doubles", "model_id": "tiny"}),
        ("/tunix/sft/export", {}),
        ("/tunix/sft/manifest", {"epochs": "many"}),
    ],
)
def test_without_tunix_the_answer_is_501_and_shows_both_ways_on(
    api: TestClient, dataset: str, path: str, body: dict[str, Any]
) -> None:
    assert api.post(path, content=b"{not JSON", headers={"content-type": "text/plain"}).status_code == 501
    answer = api.post(path, json=body)
    assert answer.status_code == 501
    error = answer.json()["error"]
    assert error["code"] == "tunix_missing"
    assert "pip install" in error["message"]
    assert error["details"]["install"].startswith("pip install")
    assert error["details"]["without_tunix"] == "GET /api/datasets/{name}/{version}/export.jsonl"
    assert api.get("/datasets/doubles/1/export.jsonl").status_code == 200


@without_tunix
def test_without_tunix_a_run_is_501(api: TestClient, dataset: str, pipeline: Pipeline) -> None:
    manifest = pipeline.manifests.build(dataset, model_id="tiny").to_dict()
    answer = api.post("/runs", json={"manifest": manifest})
    assert answer.status_code == 501
    assert "pip install" in answer.json()["error"]["details"]["install"]
    assert api.get("/runs").json() == {"runs": [], "next": None}


@pytest.mark.tunix
def test_a_dataset_version_is_exported_under_the_name_that_was_asked_for(api: TestClient, dataset: str) -> None:
    answer = api.post("/tunix/sft/export", json={"dataset": dataset, "version": 1, "name": "mine"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="mine.jsonl"'
    assert answer.content == api.get(f"/datasets/{dataset}/1/export.jsonl").content


@pytest.mark.tunix
def test_chosen_traces_are_exported_in_their_order(api: TestClient, ids: list[str]) -> None:
    chosen = [ids[7], ids[2]]
    answer = api.post("/tunix/sft/export", json={"trace_ids": chosen})
    rows = [json.loads(line) for line in answer.content.splitlines()]
    assert [row["metadata"]["trace_id"] for row in rows] == chosen
    assert rows[0]["trace_steps"] == trace(7)["steps"]


@pytest.mark.tunix
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dataset": "none"}, 404),
        ({"dataset": "doubles", "version": 9}, 404),
        ({"trace_ids": ["0" * 64]}, 404),
    ],
)
def test_what_is_not_there_cannot_be_exported(api: TestClient, dataset: str, body: dict[str, Any], status: int) -> None:
    answer = api.post("/tunix/sft/export", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.tunix
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"trace_ids": []},
        {"trace_ids": ["0" * 64], "dataset": "doubles"},
        {"trace_ids": ["0" * 64], "version": 1},
        {"dataset": "doubles", "name": "../../etc/passwd"},
        {"dataset": "doubles", "name": 'a".jsonl'},
        {"dataset": "doubles", "name": "a\nb"},
    ],
)
def test_an_export_that_is_not_clear_is_422(api: TestClient, dataset: str, body: dict[str, Any]) -> None:
    answer = api.post("/tunix/sft/export", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


@pytest.mark.tunix
def test_a_manifest_comes_as_json_and_as_yaml_that_mean_the_same(api: TestClient, dataset: str) -> None:
    answer = api.post(
        "/tunix/sft/manifest",
        json={"dataset": dataset, "model_id": "tiny", "hyperparameters": {"epochs": 3, "learning_rate": 0.002}},
    )
    assert answer.status_code == 201
    made = answer.json()
    manifest = RunManifest.from_dict(made["manifest"])
    assert yaml.safe_load(made["yaml"]) == made["manifest"]
    assert manifest.duration.epochs == 3
    assert manifest.optimizer.learning_rate == 0.002
    assert manifest.data.rows == 10
    assert manifest.dataset is not None
    assert manifest.dataset.name == dataset


@pytest.mark.tunix
def test_a_manifest_can_name_an_exported_file(api: TestClient, dataset: str, pipeline: Pipeline) -> None:
    name = pipeline.exports.write(dataset).path.name
    answer = api.post("/tunix/sft/manifest", json={"export": name, "model_id": "tiny", "output_dir": "here"})
    assert answer.status_code == 201
    assert answer.json()["manifest"]["output_dir"] == "here"


@pytest.mark.tunix
@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"dataset": "none"}, 404, "none"),
        ({"export": "none.jsonl"}, 404, "none.jsonl"),
        ({"dataset": "doubles", "model_id": "/no/such/model"}, 422, "model_id"),
        ({"dataset": "doubles", "hyperparameters": {"learning_rat": 1}}, 422, "learning_rat"),
        ({"dataset": "doubles", "hyperparameters": {"learning_rate": -1}}, 422, "learning_rate"),
    ],
)
def test_a_manifest_that_cannot_be_made_names_what_is_wrong(
    api: TestClient, dataset: str, body: dict[str, Any], status: int, named: str
) -> None:
    answer = api.post("/tunix/sft/manifest", json={"model_id": "tiny", **body})
    assert answer.status_code == status
    assert named in answer.json()["error"]["message"]


@pytest.mark.tunix
@pytest.mark.parametrize("name", ["../tunixrt.db", "/etc/passwd", "a/b.jsonl", "..", ""])
def test_an_export_reference_is_never_a_path(api: TestClient, dataset: str, name: str) -> None:
    assert api.post("/tunix/sft/manifest", json={"export": name, "model_id": "tiny"}).status_code == 422


@pytest.mark.tunix
def test_a_link_out_of_the_home_is_not_an_export(api: TestClient, dataset: str, pipeline: Pipeline) -> None:
    inside = pipeline.exports.write(dataset).path
    outside = pipeline.settings.home / "outside.jsonl"
    inside.rename(outside)
    (inside.parent / "link.jsonl").symlink_to(outside)
    answer = api.post("/tunix/sft/manifest", json={"export": "link.jsonl", "model_id": "tiny"})
    assert answer.status_code == 404
