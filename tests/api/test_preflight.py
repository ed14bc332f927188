"""The preflight through the API: 200 with what was found, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    return make_manifest(tmp_path).to_dict()


@pytest.mark.tunix
def test_a_manifest_is_checked_and_its_rows_are_shown(api: TestClient, manifest: dict[str, Any]) -> None:
    answer = api.post("/preflight", json={"manifest": manifest, "rows": [2, 29]})
    found = answer.json()
    assert (answer.status_code, found["blocked"], found["findings"]) == (200, False, [])
    assert [(view["number"], view["split"]) for view in found["views"]] == [(2, "train"), (29, "eval")]
    assert found["totals"]["train_rows"] == 24


@pytest.mark.tunix
def test_what_blocks_is_an_answer_not_an_error_and_can_be_allowed(api: TestClient, manifest: dict[str, Any]) -> None:
    manifest["schedule"]["warmup_share"] = 0.99
    found = api.post("/preflight", json={"manifest": manifest}).json()
    assert (found["blocked"], found["findings"][0]["code"]) == (True, "warm_up")
    allowed = api.post("/preflight", json={"manifest": manifest, "allow": ["warm_up"]}).json()
    assert (allowed["blocked"], allowed["findings"][0]["allowed"]) == (False, True)


@pytest.mark.tunix
def test_rows_that_cannot_be_encoded_are_not_shown(api: TestClient, manifest: dict[str, Any]) -> None:
    Path(manifest["data"]["path"]).unlink()
    found = api.post("/preflight", json={"manifest": manifest, "rows": [1]}).json()
    assert (found["blocked"], found["totals"], found["views"]) == (True, None, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"manifest": {}}, "invalid_manifest"),
        ({}, "invalid_request"),
        ({"manifest": {}, "allow": ["everything"]}, "invalid_request"),
        ({"manifest": {}, "rows": [0]}, "invalid_request"),
    ],
)
def test_what_cannot_be_read_is_refused(api: TestClient, body: dict[str, Any], code: str) -> None:
    answer = api.post("/preflight", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


@pytest.mark.skipif(is_tunix_available(), reason="Tunix is installed")
def test_without_tunix_it_says_what_to_install(api: TestClient, manifest: dict[str, Any]) -> None:
    answer = api.post("/preflight", json={"manifest": manifest})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "tunix_missing")
