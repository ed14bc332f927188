"""A dry run through the API: queued, watched, stopped; a clear answer for what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    return make_manifest(tmp_path).to_dict()


@pytest.mark.tunix
def test_a_dry_run_does_everything_once_and_leaves_nothing(
    api: TestClient, pipeline: Pipeline, manifest: dict[str, Any], tmp_path: Path
) -> None:
    answer = api.post("/dry-runs", json={"manifest": manifest})
    assert (answer.status_code, answer.json()["report"]) == (202, None)
    assert api.post("/dry-runs", json={"manifest": manifest}).json()["id"] == answer.json()["id"]
    assert pipeline.queue.wait(250)
    found = api.get(f"/dry-runs/{answer.json()['id']}").json()
    assert (found["status"], found["message"]) == ("succeeded", "")
    assert found["report"]["train_loss"] > found["report"]["eval_loss"] > 0
    assert found["report"]["checkpoint_bytes"] > 0
    assert not (tmp_path / "run").exists()
    assert list(pipeline.settings.runs_dir.iterdir()) == []


@pytest.mark.tunix
def test_what_would_end_the_run_ends_it_with_the_same_words(
    api: TestClient, pipeline: Pipeline, manifest: dict[str, Any]
) -> None:
    Path(manifest["data"]["path"]).write_text("{}")
    started = api.post("/dry-runs", json={"manifest": manifest}).json()
    assert pipeline.queue.wait(60)
    found = api.get(f"/dry-runs/{started['id']}").json()
    assert (found["status"], found["report"]) == ("failed", None)
    assert "data" in found["message"]


def test_one_that_is_not_there_is_not_found(api: TestClient) -> None:
    for answer in (api.get("/dry-runs/dry-00000000"), api.post("/dry-runs/dry-00000000/stop")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.skipif(is_tunix_available(), reason="Tunix is installed")
def test_without_tunix_it_says_what_to_install(api: TestClient, manifest: dict[str, Any]) -> None:
    answer = api.post("/dry-runs", json={"manifest": manifest})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "tunix_missing")
