"""One manifest, one preflight, however often a page asks; pages never wait for a long one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.preflight.desk import PreflightDesk, desk_of
from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import ModelError
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.training.preflight import Preflight


class SlowBackend(FakeBackend):
    """Its preflight waits to be let go, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.asked: list[str] = []

    def preflight(self, manifest: RunManifest, folder: object, **options: object) -> Preflight:  # type: ignore[override]
        self.asked.append(manifest.output_dir)
        self.go.wait(30)
        if "broken" in manifest.output_dir:
            raise ModelError("It is broken.")
        return Preflight(manifest.content_hash)


@pytest.fixture
def backend() -> SlowBackend:
    return SlowBackend()


@pytest.fixture
def desk(tmp_path: Path, backend: SlowBackend) -> Iterator[PreflightDesk]:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})
    store = open_store(settings.database_url)
    with Pipeline(settings, store, JobManager(store.runs, backend)) as pipeline:
        assert desk_of(pipeline) is desk_of(pipeline)
        yield desk_of(pipeline)
        backend.go.set()


def at(manifest: RunManifest, output_dir: str) -> RunManifest:
    return manifest.model_copy(update={"output_dir": output_dir})


def test_asked_twice_it_is_made_once_whatever_the_run_is_called(
    tmp_path: Path, desk: PreflightDesk, backend: SlowBackend
) -> None:
    manifest = make_manifest(tmp_path, train_steps=1)
    job = desk.ask(manifest, is_new=True)
    assert not job.wait(0.01)
    assert desk.ask(manifest.model_copy(update={"name": "another"}), is_new=True) is job
    backend.go.set()
    assert job.wait(30)
    assert job.future.result().manifest_hash == manifest.content_hash
    desk.forget(manifest, is_new=True)
    assert desk.ask(manifest, is_new=True) is not job


def test_one_that_waits_gives_way_to_a_newer_one(tmp_path: Path, desk: PreflightDesk, backend: SlowBackend) -> None:
    manifest = make_manifest(tmp_path, train_steps=1)
    jobs = [desk.ask(at(manifest, name), is_new=True) for name in ("first", "second", "third")]
    assert [job.future.cancelled() for job in jobs] == [False, True, False]
    backend.go.set()
    assert all(job.wait(30) for job in jobs)
    assert backend.asked == ["first", "third"]
    assert desk.ask(at(manifest, "second"), is_new=True).wait(30)


def test_an_error_is_kept_for_who_asks(tmp_path: Path, desk: PreflightDesk, backend: SlowBackend) -> None:
    backend.go.set()
    job = desk.ask(at(make_manifest(tmp_path, train_steps=1), "broken"), is_new=True)
    assert job.wait(30)
    with pytest.raises(ModelError, match="broken"):
        job.future.result()
