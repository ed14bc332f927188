"""A real cluster of two nodes on this machine: its workers are followed, found again and replaced, and all is local."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.machines.ray_nodes import LOOPBACK, PATIENCE, RayNodes, listening, needs_ray, title_of, until
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import JobFailed
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.ray_cluster.address import Cluster, require_entry
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus

pytestmark = needs_ray


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return change_manifest(make_manifest(tmp_path, train_steps=40), {"checkpoint_every": 2, "eval_every": 100})


def worker_of(nodes: RayNodes) -> int:
    """The process of the one worker of the cluster."""
    (found,) = nodes.processes("ray::Worker")
    return found


def agents() -> list[int]:
    """The processes of this one that talk to a cluster."""
    import psutil  # comes with ray

    children = psutil.Process().children()
    return [child.pid for child in children if "tunixrt_core.jobs.ray_cluster.agent" in title_of(child.pid)]


def test_a_wrong_token_is_said_in_words_by_the_real_head(nodes: RayNodes, tmp_path: Path) -> None:
    cluster = Cluster.parse(nodes.address)
    require_entry(cluster, nodes.environ)
    with pytest.raises(JobFailed, match="refuses the token of this server"):
        require_entry(cluster, {"RAY_AUTH_TOKEN": "w" * 40})
    with pytest.raises(JobFailed, match="requests a token"):
        require_entry(cluster, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "missing")})


def test_a_run_outlives_its_server_and_its_worker_and_is_evaluated_and_exported_elsewhere(
    home: Path, nodes: RayNodes, manifest: RunManifest
) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.checkpoint_steps())
        assert folder.state().owner.startswith("ray:")
        holder = rt.queue.state().holder
        assert holder is not None
        assert (holder.where, holder.pid) == (f"Ray worker {run.id}", None)
        found = set().union(*(listening(pid) for pid in nodes.pids()))
        assert found
        assert found <= LOOPBACK, "nothing may be reached from another machine"
        assert len(agents()) == 1
    assert not agents(), "the process that talks to the cluster ends with its server"
    worker = worker_of(nodes)
    assert not folder.state().status.over, "it trains although its server has ended"
    with open_home(home) as rt:
        assert not rt.runs.get(run.id).status.over
        rt.queue_again()
        until(lambda: rt.queue.state().holder)
        trained = folder.state().train_step
        until(lambda: folder.state().train_step > trained + 2)
        os.kill(worker, signal.SIGKILL)
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert (rt.runs.get(run.id).status, state.attempt, state.message) == (RunStatus.SUCCEEDED, 2, "")
        (said,) = (line for line in folder.log_tail().splitlines() if "resumed from its last checkpoint" in line)
        assert "Its worker on the Ray cluster" in said
        steps = [record.train_step for record in folder.metrics()[0] if record.kind == "train"]
        assert steps == list(range(1, 41))
        _evaluate_and_export(rt, run.id)
        assert not list((home / "jobs").iterdir())


def _evaluate_and_export(rt: Pipeline, run_id: str) -> None:
    (evaluated,) = rt.evaluations.start(run_id, ["tuned"], EvalRequest(limit=2, max_new_tokens=4))
    exported = rt.model_exports.start(run_id)
    assert rt.queue.wait(PATIENCE)
    view = rt.evaluations.get(evaluated.id)
    assert (view.record.status, view.state.owner[:4], len(view.predictions)) == (RunStatus.SUCCEEDED, "ray:", 2)
    report = rt.model_exports.get(exported.id).report
    assert report is not None
    assert report == rt.model_exports.of_run(run_id)[0].report


def test_a_run_is_stopped_by_its_file_and_keeps_a_checkpoint(home: Path, manifest: RunManifest) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.metrics()[0])
        rt.runs.stop(run.id)
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        assert folder.checkpoint_steps()


def test_a_run_whose_cluster_loses_its_head_says_so_and_keeps_its_checkpoint(
    home: Path, nodes: RayNodes, manifest: RunManifest
) -> None:
    """The last test of this cluster."""
    with open_home(home) as rt:
        run = rt.runs.start(manifest)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.checkpoint_steps())
        worker = worker_of(nodes)
        nodes.kill_head()
        os.kill(worker, signal.SIGSTOP)  # as on a node that the network lost; its last sign of life becomes old
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert state.status is RunStatus.INTERRUPTED
        assert "does not answer" in state.refused
        assert "The Ray cluster was lost" in folder.log_tail()
        assert folder.checkpoint_steps()
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    assert RunDir(folder.path).read_state().attempt == 2
