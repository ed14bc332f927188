"""Workers of a real Ray cluster of two nodes that use a bucket in place of the folder of the home."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.machines.ray_nodes import PATIENCE, RayNodes, needs_ray, until
from tests.helpers.makers import make_manifest
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.runs.record import RunStatus

pytestmark = needs_ray


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, caches: Path) -> Iterator[RayNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(caches))  # of the workers
        with RayNodes(tmp_path_factory.mktemp("cluster")) as started:
            yield started


@pytest.fixture
def home(nodes: RayNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in nodes.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TUNIXRT_EXECUTOR", nodes.address)
    monkeypatch.setenv("TUNIXRT_BUCKET", f"file://{tmp_path}/bucket")
    monkeypatch.setenv("TUNIXRT_ALLOW", str(tmp_path))
    return tmp_path / "home"


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    made = change_manifest(make_manifest(tmp_path, train_steps=40), {"checkpoint_every": 2, "eval_every": 100})
    return made.model_copy(update={"output_dir": "r-0001"})


def test_a_run_by_bucket_outlives_its_server_and_its_worker_and_is_evaluated_and_exported(
    home: Path, nodes: RayNodes, manifest: RunManifest, caches: Path
) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.checkpoint_steps())
        (here,) = caches.rglob("runs/r-0001/state.json")
        assert not here.is_relative_to(home), "the worker has a folder of its own"
    (worker,) = nodes.processes("ray::Worker")
    with open_home(home) as rt:
        rt.queue_again()
        until(lambda: rt.queue.state().holder)
        trained = folder.state().train_step
        until(lambda: folder.state().train_step > trained + 2)
        os.kill(worker, signal.SIGKILL)
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert (rt.runs.get(run.id).status, state.attempt, state.message) == (RunStatus.SUCCEEDED, 2, "")
        assert "resumed from its last checkpoint" in folder.log_tail()
        steps = [record.train_step for record in folder.metrics()[0] if record.kind == "train"]
        assert steps == list(range(1, 41))
        (evaluated,) = rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2, max_new_tokens=4))
        exported = rt.model_exports.start(run.id)
        assert rt.queue.wait(PATIENCE)
        view = rt.evaluations.get(evaluated.id)
        assert (view.record.status, view.state.owner[:4], len(view.predictions)) == (RunStatus.SUCCEEDED, "ray:", 2)
        report = rt.model_exports.get(exported.id).report
        assert report is not None
        assert report == rt.model_exports.of_run(run.id)[0].report
        assert not list((home / "jobs").iterdir())


def test_a_run_by_bucket_is_stopped_and_keeps_a_checkpoint(home: Path, manifest: RunManifest) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.metrics()[0])
        rt.runs.stop(run.id)
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        assert folder.checkpoint_steps()


def test_homes_under_one_path_share_no_worker(home: Path, manifest: RunManifest, tmp_path: Path) -> None:
    """As on two machines. The second home has its run done while the first one's server is down."""
    with open_home(home) as rt:
        rt.runs.start(manifest)
        until(lambda: rt.runs.folder("r-0001").checkpoint_steps())
    home.rename(tmp_path / "elsewhere")
    with open_home(home) as rt:
        rt.runs.start(manifest)
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get("r-0001").status is RunStatus.SUCCEEDED
    home.rename(tmp_path / "second")
    (tmp_path / "elsewhere").rename(home)
    with open_home(home) as rt:
        rt.queue_again()
        assert rt.queue.wait(PATIENCE)
        assert (rt.runs.get("r-0001").status, rt.runs.state("r-0001").attempt) == (RunStatus.SUCCEEDED, 1)
