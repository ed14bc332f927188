"""The demo fills a home once, continues what was stopped, and what it shows was really learned."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.conftest import AS_A_USER, LONG
from tests.helpers.command import tunixrt
from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tests.pipeline.test_pipeline import open_with
from tunixrt_core.errors import JobFailed
from tunixrt_core.pipeline.demo import fill
from tunixrt_core.pipeline.pipeline import Pipeline, open_home
from tunixrt_core.runs.record import RunStatus

SHORT = {"train_steps": 20}


def contents(rt: Pipeline) -> tuple[object, ...]:
    return (
        rt.traces.count(),
        [(version.name, version.version) for version in rt.datasets.versions()],
        [(run.id, run.status, rt.runs.state(run.id).train_step) for run in rt.runs.page().items],
        sorted((record.id, record.status) for record in rt.evaluations.records()),
    )


def test_a_second_call_does_nothing_twice(tmp_path: Path) -> None:
    with open_with(empty_home(tmp_path / "home"), backend := FakeBackend()) as rt:
        first, second = fill(rt, hyperparams=SHORT)
        filled = contents(rt)
        assert fill(rt, hyperparams=SHORT) == (first, second)
        assert contents(rt) == filled
    assert len(backend.trained) == 2
    assert filled[1:3] == (
        [("dial", 2), ("dial", 1)],
        [("r-0002", RunStatus.SUCCEEDED, 10), ("r-0001", RunStatus.SUCCEEDED, 20)],
    )


def test_a_demo_that_was_stopped_continues_its_run(tmp_path: Path) -> None:
    settings, told = empty_home(tmp_path / "home"), threading.Event()
    with open_with(settings, FakeBackend(step_seconds=0.05)) as rt:

        def stop_it() -> None:
            while not rt.runs.page().items or rt.runs.state("r-0001").train_step < 3:
                told.wait(0.01)
            rt.runs.stop("r-0001")

        stopper = threading.Thread(target=stop_it)
        stopper.start()
        with pytest.raises(JobFailed, match="r-0001 is stopped"):
            fill(rt, hyperparams=SHORT)
        stopper.join()
    with open_with(settings, FakeBackend()) as rt:
        first, second = fill(rt, hyperparams=SHORT)
        assert [run.id for run in rt.runs.page().items] == [second.id, first.id]
        steps = [record.train_step for record in rt.runs.metrics(first.id)[0] if record.kind == "train"]
        assert steps == list(range(1, 21))


@LONG
@pytest.mark.tunix
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_learns_the_task(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    done = tunixrt("demo", "--home", home, home=tmp_path / "of-the-user", **AS_A_USER)
    assert done.returncode == 0, done.stderr
    assert f"tunixrt serve --home {home}" in done.stdout
    assert not (tmp_path / "of-the-user").exists()
    with open_home(home) as rt:
        metrics = {record.side: record.metrics["exact_match"] for record in rt.evaluations.records("r-0001")}
    assert metrics["base"] <= 0.05
    assert metrics["tuned"] >= 0.8
