"""Exports through the API: queued, watched, listed, downloaded; a clear answer for what is missing."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.mark.tunix
def test_a_trained_lora_is_exported_listed_and_downloaded(api: TestClient, pipeline: Pipeline, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, method="lora", lora_rank=2, train_steps=2)
    run = api.post("/runs", json={"manifest": manifest.to_dict()}).json()["id"]
    assert pipeline.queue.wait(250)
    asked = {"format": "peft", "check_with_transformers": False}
    answer = api.post(f"/runs/{run}/exports", json=asked)
    assert (answer.status_code, answer.json()["report"]) == (202, None)
    assert pipeline.queue.wait(250)
    found = api.get(f"/exports/{answer.json()['id']}").json()
    assert (found["status"], found["message"], found["layout"]) == ("succeeded", "", "peft")
    (listed,) = api.get(f"/runs/{run}/exports").json()["exports"]
    assert (listed["format"], listed["report"]) == ("peft", found["report"])
    assert listed["report"]["not_checked"] == {"peft": "not requested"}
    file = api.get(f"/runs/{run}/exports/peft/adapter_model.safetensors")
    assert len(file.content) == listed["files"]["adapter_model.safetensors"]
    part = api.get(f"/runs/{run}/exports/peft/adapter_model.safetensors", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, file.content[10:20])
    whole = api.get(f"/runs/{run}/exports/peft")
    assert whole.headers["content-disposition"] == f'attachment; filename="{run}-peft.zip"'
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[2] for name in archive.namelist()} == set(listed["files"])
        assert archive.read(f"{run}-peft/adapter_model.safetensors") == file.content
    again = api.post(f"/runs/{run}/exports", json=asked)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    refused = api.post(f"/runs/{run}/exports", json={"format": "gguf"})
    assert refused.status_code == 422


def test_what_is_not_there_is_not_found(api: TestClient) -> None:
    for path in (
        "/exports/exp-00000000",
        "/runs/absent/exports",
        "/runs/absent/exports/merged",
        "/runs/absent/exports/merged/config.json",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.skipif(is_tunix_available(), reason="Tunix is installed")
def test_without_tunix_it_says_what_to_install(api: TestClient) -> None:
    answer = api.post("/runs/absent/exports")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "tunix_missing")
