"""Builds whose traces a real cluster checks: the same versions whatever dies, and a clear end otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.makers import mixed
from tests.helpers.machines.ray_nodes import LOOPBACK, RayNodes, listening, needs_ray, title_of, until
from tunixrt_core import __version__
from tunixrt_core.datasets.gates import findings, minhash
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import JobFailed, Stopped
from tunixrt_core.jobs.ray_cluster.blocks import work_on
from tunixrt_core.pipeline import spreading
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.util.files import records

pytestmark = needs_ray

ROWS = 4_000
GATES_SET = {**dict.fromkeys(GATES, "warn"), "near_duplicate": "exclude", "contamination": "exclude"}
MORE = {"gates": GATES_SET, "split_by": "near_duplicate", "eval_share": 0.3}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        assert rt.store.traces.insert(mixed(ROWS)).inserted >= ROWS
    return home


@pytest.fixture
def rt(filled: Path, nodes: RayNodes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A server with the cluster, where little is held in memory and blocks are small."""
    for name, value in nodes.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(spreading, "WORTH", ROWS)
    monkeypatch.setattr(spreading, "BLOCK", 50_000)
    monkeypatch.setattr(records, "HELD", 16 << 10)
    monkeypatch.setattr(findings, "_HELD", 3)
    monkeypatch.setattr(minhash, "_AT_ONCE", 500)
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(filled), "TUNIXRT_EXECUTOR": nodes.address})) as server:
        yield server


@pytest.fixture(scope="module")
def expected(filled: Path) -> dict[str, Any]:
    """The version as this process alone builds it, all in memory."""
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(filled)})) as alone:
        made = content(alone, alone.datasets.build(DatasetSpec("here", **MORE)).name)
    assert len(made["findings"]["near_duplicate"]) > 100
    assert len(made["findings"]["contamination"]) > 50
    return made


def content(rt: Pipeline, name: str) -> dict[str, Any]:
    """All of a version but its name and number."""
    version = rt.datasets.get(name)
    found = {one.gate: all_findings(rt, name, one.gate) for one in rt.datasets.gates(name)}
    return {
        "hash": version.content_hash,
        "rows": list(rt.store.datasets.rows(name, version.version, None)),
        "gates": [one.to_dict() for one in rt.datasets.gates(name)],
        "findings": found,
    }


def all_findings(rt: Pipeline, name: str, gate: str) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    while some := rt.store.datasets.findings(name, None, gate, after=found[-1][0] if found else -1, limit=1_000):
        found += some
    return found


def drivers(of: int | None = None) -> list[int]:
    """The processes that this one, or another, started to hold a driver."""
    import psutil  # comes with ray

    return [each.pid for each in psutil.Process(of).children() if "blocks_driver" in title_of(each.pid)]


def test_a_build_by_two_nodes_is_that_of_one_process(rt: Pipeline, nodes: RayNodes, expected: dict[str, Any]) -> None:
    told: list[tuple[str, int, int]] = []
    heard: set[str] = set()

    def on_progress(phase: str, done: int, total: int) -> None:
        told.append((phase, done, total))
        if (phase, done) == ("checking", 500):
            heard.update(*(listening(pid) for pid in [*nodes.pids(), *drivers()]))

    rt.datasets.build(DatasetSpec("there", **MORE), on_progress=on_progress)
    assert content(rt, "there") == expected
    assert {phase for phase, _, _ in told} == {"reading", "connecting", "screening", "clustering", "checking"}
    assert heard
    assert heard <= LOOPBACK, "nothing may be reached from another machine"
    assert not drivers()


def test_killed_workers_change_nothing(rt: Pipeline, nodes: RayNodes, expected: dict[str, Any]) -> None:
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while len(killed) < 2 and not ended.is_set():
            for pid in nodes.processes("ray::work_on")[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)

    def on_progress(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("screening", 500):
            killer.start()

    try:
        rt.datasets.build(DatasetSpec("killed", **MORE), on_progress=on_progress)
    finally:
        ended.set()
        killer.join()
    assert len(killed) == 2
    assert content(rt, "killed") == expected


def test_a_stopped_build_ends_its_driver_and_its_workers(rt: Pipeline, nodes: RayNodes) -> None:
    before = rt.datasets.versions()
    build = rt.datasets.start_build(DatasetSpec("stopped", **MORE))
    until(lambda: nodes.processes("ray::work_on"))
    rt.datasets.stop_build(build.id)
    with pytest.raises(Stopped):
        rt.datasets.builds.wait(build.id, 30).value()
    assert not drivers()
    until(lambda: not nodes.processes("ray::work_on"))
    assert rt.datasets.versions() == before


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_interrupted_or_killed_leaves_nothing_at_work(
    end: signal.Signals, rt: Pipeline, nodes: RayNodes, filled: Path
) -> None:
    before = rt.datasets.versions()
    command = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "dataset", "build", "ended", "--gate", "near_duplicate=exclude"],
        env={**os.environ, "TUNIXRT_HOME": str(filled), "TUNIXRT_EXECUTOR": nodes.address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: nodes.processes("ray::work_on"))
    (driver,) = drivers(command.pid)
    command.send_signal(end)
    assert command.wait(60) != 0
    until(lambda: not title_of(driver))
    until(lambda: not nodes.processes("ray::work_on"))
    assert rt.datasets.versions() == before


_COMMAND = f"""
from tunixrt_core.cli.main import main
from tunixrt_core.pipeline import spreading

spreading.WORTH, spreading.BLOCK = {ROWS}, 10_000
main()
"""


def test_a_small_build_and_one_without_builders_ask_no_cluster(
    rt: Pipeline, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(filled / "missing"))
    with pytest.raises(JobFailed, match="requests a token"):
        rt.datasets.build(DatasetSpec("large", gates={"tags": "warn"}))
    rt.datasets.build(DatasetSpec("plain"))
    rt.datasets.build(DatasetSpec("small", gates={"tags": "warn"}, text="Case 17"))
    address = f"{rt.settings.executor}&builders=0"
    with open_pipeline(replace(rt.settings, executor=address)) as here:
        here.datasets.build(DatasetSpec("none", gates={"tags": "warn"}))


def test_a_worker_of_another_version_refuses() -> None:
    with pytest.raises(JobFailed, match=rf"has tunix-rt {__version__}, and this server 0\.0\.1"):
        work_on(bytes, b"", "0.0.1")


def test_a_build_whose_cluster_loses_its_head_says_so_and_stores_nothing(rt: Pipeline, nodes: RayNodes) -> None:
    """The last test of this cluster."""
    before = rt.datasets.versions()
    lost = threading.Event()

    def on_progress(phase: str, done: int, total: int) -> None:
        if phase == "screening" and done >= 500 and not lost.is_set():
            lost.set()
            nodes.kill_head()
            until(lambda: not drivers())  # it ends with its head

    with pytest.raises(JobFailed, match=r"was lost during the build, and no version was stored\. Start the cluster"):
        rt.datasets.build(DatasetSpec("lost", **MORE), on_progress=on_progress)
    assert rt.datasets.versions() == before
    assert not drivers()
    with pytest.raises(JobFailed, match="Ray cluster at"):
        rt.datasets.build(DatasetSpec("again", **MORE))
