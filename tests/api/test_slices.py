"""Slice reports through the API: kept ones at once, and a clear answer where nothing can be compiled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.training.ahead.test_costs import report
from tunixrt_core.manifest.manifest import RunManifest, manifest_without_data
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.tunix_backend.ahead.environment import compiler_available, versions


@pytest.fixture
def manifest(pipeline: Pipeline) -> dict[str, Any]:
    return manifest_without_data("tiny-micro", {}).to_dict() | {
        "data": {
            "path": str(pipeline.settings.home / "rows.jsonl"), "sha256": "0" * 64, "rows": 1, "train_rows": 1,
        },
        "output_dir": str(pipeline.settings.runs_dir / "r-0001"),
    }  # fmt: skip


def keep(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    from dataclasses import asdict

    from tunixrt_core.training.ahead.slices import find_slice

    compiler = pipeline.manifests.slices._compiler()
    wanted = RunManifest.from_dict(manifest)
    file: Path = compiler._file(wanted, compiler.model(wanted), find_slice("v6e-4"), ("train",))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(report(versions=versions()))))


@pytest.mark.tunix
def test_what_was_compiled_before_is_answered(api: TestClient, pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    keep(pipeline, manifest)
    body = {"manifest": manifest, "slice": "v6e-4", "steps": ["train"]}
    started = api.post("/slice-reports", json=body)
    assert started.status_code == 202
    pipeline.manifests.slices.tasks.wait(started.json()["id"], 20)
    found = api.get(f"/slice-reports/{started.json()['id']}").json()
    assert found["status"] == "succeeded"
    assert found["report"]["sentence"].startswith("On v6e-4: fits")
    assert found["report"]["steps"][0]["bound"]["limit"] in ("arithmetic", "memory", "links")
    assert [each["id"] for each in api.get("/slice-reports").json()["reports"]] == [found["id"]]
    assert api.post(f"/slice-reports/{found['id']}/stop").json()["status"] == "succeeded"


@pytest.mark.tunix
@pytest.mark.skipif(compiler_available(), reason="libtpu is installed")
def test_without_the_compiler_it_says_what_to_install(api: TestClient, manifest: dict[str, Any]) -> None:
    answer = api.post("/slice-reports", json={"manifest": manifest, "slice": "v6e-4"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "compiler_missing")


@pytest.mark.tunix
def test_an_unknown_slice_is_named_with_the_known_ones(api: TestClient, manifest: dict[str, Any]) -> None:
    answer = api.post("/slice-reports", json={"manifest": manifest, "slice": "v6e-5"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_slice")
    assert "v6e-4" in answer.json()["error"]["message"]


def test_one_that_is_unknown_is_not_found(api: TestClient) -> None:
    for answer in (api.get("/slice-reports/s-0009"), api.post("/slice-reports/s-0009/stop")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
