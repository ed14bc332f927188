"""The bundle comes as a zip to save, without the token of the server."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from tunixrt_core.pipeline.pipeline import Pipeline


def test_the_bundle_is_a_zip_to_save(api: TestClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(pipeline.settings, token="the-token-of-this-server")
    monkeypatch.setattr(pipeline.home, "_settings", settings)
    pipeline.settings.server_log.parent.mkdir()
    pipeline.settings.server_log.write_text("with the-token-of-this-server\n", encoding="utf-8")
    answer = api.get("/diagnostics")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="tunixrt-diagnostics-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert bundle.read("tunixrt-diagnostics/server.log") == b"with (removed)"
        everything = b"".join(bundle.read(name) for name in bundle.namelist())
    assert b"the-token-of-this-server" not in everything
