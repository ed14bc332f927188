"""Ray Train's JaxTrainer joins two processes by itself, which then train as others do. On CPUs: no slice is here."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers.machines.ray_nodes import LOOPBACK, PATIENCE, RayNodes, listening, needs_ray, until
from tests.helpers.makers import make_manifest
from tests.jobs.ray_cluster.several.test_together import first_of, losses
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.runs.record import RunStatus

pytestmark = needs_ray


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return change_manifest(make_manifest(tmp_path, train_steps=12), {"checkpoint_every": 2, "eval_every": 100})


def test_processes_that_a_jax_trainer_has_joined_train_as_one_and_a_lost_one_is_replaced(
    home: Path, nodes: RayNodes, manifest: RunManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNIXRT_EXECUTOR", f"{nodes.address}&train=jax")
    with open_home(home) as rt:
        run = rt.runs.start(manifest, processes=2)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.checkpoint_steps())
        members = nodes.processes("ray::RayTrainWorker")
        assert len(members) == 2
        for pid in nodes.pids():
            assert listening(pid) <= LOOPBACK, "nothing may be reached from another machine"
        (other,) = set(members) - {first_of(members, folder)}
        os.kill(other, signal.SIGKILL)
        assert rt.queue.wait(PATIENCE)
        state = folder.state()
        assert (state.status, state.attempt, state.processes) == (RunStatus.SUCCEEDED, 2, 2)
        (lost,) = (line for line in folder.log_tail().splitlines() if "resumed from its last checkpoint" in line)
        assert "of 2 on the Ray cluster was lost" in lost
        alone = rt.runs.start(manifest.model_copy(update={"output_dir": str(tmp_path / "alone")}))
        assert rt.queue.wait(PATIENCE)
        together, single = losses(folder), losses(rt.runs.folder(alone.id))
        assert list(together) == list(single) == list(range(1, 13))
        assert together == pytest.approx(single, abs=1e-5)
        assert not list((home / "jobs").iterdir()), "Ray Train leaves no files"


def test_a_jax_trainer_that_finds_too_few_machines_says_so_and_can_be_cancelled(
    home: Path, nodes: RayNodes, manifest: RunManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNIXRT_EXECUTOR", f"{nodes.address}&train=jax")
    with open_home(home) as rt:
        run = rt.runs.start(manifest, processes=4)
        until(lambda: rt.runs.get(run.id).message)
        assert "It waits for 4 machines with 1 CPU each. The Ray cluster has 2" in rt.runs.get(run.id).message
        rt.runs.folder(run.id).stop_file.touch()
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
