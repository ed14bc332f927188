"""Two processes on two machines train as one does, whatever dies, and one that finds too few machines says so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt_process
from tests.helpers.machines.ray_nodes import LOOPBACK, PATIENCE, RayNodes, listening, needs_ray, until
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import JobFailed, ModelError
from tunixrt_core.jobs.kinds.trainings import training
from tunixrt_core.jobs.ray_cluster.address import Cluster
from tunixrt_core.jobs.ray_cluster.agent import connect
from tunixrt_core.jobs.ray_cluster.news import News
from tunixrt_core.jobs.ray_cluster.several import together
from tunixrt_core.jobs.ray_cluster.several.together import Member, Part, lead
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus

pytestmark = needs_ray


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return change_manifest(make_manifest(tmp_path, train_steps=20), {"checkpoint_every": 2, "eval_every": 100})


def first_of(pids: list[int], folder: RunDir) -> int:
    """Of the processes that train together the one that writes the records."""
    (found,) = (pid for pid in pids if str(folder.metrics_file) in open_files(pid))
    return found


def open_files(pid: int) -> set[str]:
    return {os.readlink(file) for file in Path(f"/proc/{pid}/fd").glob("*") if os.path.lexists(file)}


def has_trained(folder: RunDir, *, attempt: int, steps: int) -> bool:
    state = folder.state()
    return state.attempt == attempt and state.status is RunStatus.RUNNING and state.train_step > steps


def losses(folder: RunDir) -> dict[int, float | None]:
    """By train step. Each is there once."""
    found = [(record.train_step, record.loss) for record in folder.metrics()[0] if record.kind == "train"]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_two_processes_of_which_each_is_lost_once_and_their_leader_give_the_records_and_losses_of_one(
    home: Path, nodes: RayNodes, manifest: RunManifest, tmp_path: Path
) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest, processes=2)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.checkpoint_steps())
        members = nodes.processes("ray::Member")
        first = first_of(members, folder)
        assert len(members) == 2
        for pid in nodes.pids():
            assert listening(pid) <= LOOPBACK, "nothing may be reached from another machine"
        assert len(listening(first)) > 0, "the others join it there"
        (other,) = set(members) - {first}
        os.kill(other, signal.SIGKILL)
        until(lambda: has_trained(folder, attempt=2, steps=4))
        os.kill(first_of(nodes.processes("ray::Member"), folder), signal.SIGKILL)
        until(lambda: has_trained(folder, attempt=3, steps=6))
        (leader,) = nodes.processes("ray::Worker")
        os.kill(leader, signal.SIGKILL)
        assert rt.queue.wait(PATIENCE)
        state = folder.state()
        assert (state.status, state.attempt, state.processes) == (RunStatus.SUCCEEDED, 4, 2)
        lost = [line for line in folder.log_tail().splitlines() if "resumed from its last checkpoint" in line]
        assert ["of 2 on the Ray cluster was lost" in line for line in lost] == [True, True, False]
        assert "Its worker on the Ray cluster was lost" in lost[2]
        alone = rt.runs.start(manifest.model_copy(update={"output_dir": str(tmp_path / "alone")}))
        assert rt.queue.wait(PATIENCE)
        together, single = losses(folder), losses(rt.runs.folder(alone.id))
        assert list(together) == list(single) == list(range(1, 21))
        assert together == pytest.approx(single, abs=1e-5)
        assert not nodes.processes("ray::Member")


def test_it_is_stopped_by_its_file_and_resumed_in_as_many_processes(home: Path, manifest: RunManifest) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest, processes=2)
        folder = rt.runs.folder(run.id)
        until(lambda: folder.metrics()[0])
        folder.stop_file.touch()
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        trained = folder.state().train_step
        assert folder.checkpoint_steps()[-1] == trained
        rt.runs.resume(run.id)
        assert rt.queue.wait(PATIENCE)
        state = folder.state()
        assert (state.status, state.attempt, state.processes) == (RunStatus.SUCCEEDED, 2, 2)
        assert list(losses(folder)) == list(range(1, 21))


@pytest.mark.parametrize("by", ["the dashboard", "its file"])
def test_a_run_that_asks_for_more_machines_than_there_are_says_so_and_can_be_cancelled(
    home: Path, manifest: RunManifest, by: str
) -> None:
    with open_home(home) as rt:
        run = rt.runs.start(manifest, processes=4)
        until(lambda: rt.runs.get(run.id).message)
        assert rt.runs.get(run.id).message == (
            "It waits for 4 machines with 1 CPU each. The Ray cluster has 2 machines, of which 2 with that. "
            "Add machines to the cluster, or stop the run and ask for less."
        )
        assert rt.runs.get(run.id).status is RunStatus.QUEUED
        assert "It waits for 4 machines" in rt.runs.folder(run.id).log_tail()
        stop(rt, run.id, by)
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        following = rt.runs.start(manifest.model_copy(update={"output_dir": f"{manifest.output_dir}-2"}), processes=2)
        until(lambda: rt.runs.folder(following.id).metrics()[0])
        rt.runs.stop(following.id)
        assert rt.queue.wait(PATIENCE), "what waited holds no machine"


def test_the_command_trains_on_the_machines_of_the_cluster(
    home: Path, nodes: RayNodes, manifest: RunManifest, tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(manifest.to_yaml())
    tuned = tunixrt_process("train", file, "--processes", 2, home=home, TUNIXRT_EXECUTOR=nodes.address, **nodes.environ)
    assert tuned.returncode == 0, tuned.stderr
    folder = RunDir(Path(manifest.output_dir))
    state = folder.state()
    assert (state.status, state.processes, state.owner[:4]) == (RunStatus.SUCCEEDED, 2, "ray:")
    assert list(losses(folder)) == list(range(1, 21))
    assert not list((home / "jobs").iterdir())


class Fails(Member):
    """Of two processes the second one cannot train, while the first one waits for it."""

    def meet(self) -> str:
        return "127.0.0.1:1"

    def train(self, index: int, coordinator: str) -> None:
        if index == 1:
            raise ModelError("The model is missing. Download it.")
        time.sleep(PATIENCE)


def test_a_process_that_fails_by_itself_ends_all_with_its_own_sentence(
    home: Path, nodes: RayNodes, manifest: RunManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = training("r-0001", manifest, RunDir(Path(manifest.output_dir)), processes=2)
    cluster = Cluster.parse(nodes.address)
    monkeypatch.setattr(together, "Member", Fails)
    ray = connect({"host": cluster.host, "port": cluster.port, "namespace": "tests"})
    try:
        place = {"models_dir": str(home), "compiled_dir": str(home), "webhook": None}
        with pytest.raises(JobFailed, match=r"^Process 1 of 2 failed: The model is missing. Download it\.$"):
            lead(Part(spec, "ray:tests/r-0001#1", place, None), News(), cluster.takes)
        until(lambda: not nodes.processes("ray::Fails"))
    finally:
        ray.shutdown()


def stop(rt: Pipeline, run_id: str, by: str) -> None:
    if by == "its file":
        rt.runs.folder(run_id).stop_file.touch()
    else:
        rt.runs.stop(run_id)
