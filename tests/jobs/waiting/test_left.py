"""What waited in the queue of a server that ended is queued again in its order, or says why not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tests.helpers.machines.home_operations import do
from tests.helpers.machines.killed import KilledOperations
from tests.pipeline.test_pipeline import open_with
from tunixrt_core.evaluation.folder import NEVER_BEGAN, EvalDir
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.training.model_export import ExportLayout

LIMITED = EvalRequest(scorers=("exact_match",), limit=1)


@pytest.fixture(scope="module")
def killed() -> Iterator[KilledOperations]:
    with KilledOperations("fake") as operations:
        yield operations


def left_behind(home: Path, killed: KilledOperations) -> tuple[Settings, str, str]:
    """A home whose server was killed while one job of each kind waited; its finished run and that one's evaluation."""
    settings = Settings.from_env({"TUNIXRT_HOME": str(home)})
    with open_with(settings, FakeBackend()) as rt:
        do(rt, "import", n=12, seed=0)
        do(rt, "build", name="a")
        run = do(rt, "start", name="a", version=1, steps=3, request="first").id
        (scored,) = rt.evaluations.start(run, ["tuned"], LIMITED)
        assert rt.queue.wait(30)
    assert killed.run(home, "wait_and_die", {"run": run, "scored": scored.id}, at=10**6)
    return settings, run, scored.id


def of_target(rt: Pipeline, run: str, target: str) -> EvalRecord:
    return next(record for record in rt.evaluations.records(run) if record.target == target)


def test_each_kind_of_job_is_queued_again_in_the_order_in_which_it_waited(
    tmp_path: Path, killed: KilledOperations
) -> None:
    settings, run, scored = left_behind(tmp_path / "home", killed)
    with open_with(settings, FakeBackend()) as rt:
        base = of_target(rt, run, "base")
        assert (base.status, base.message) == (RunStatus.INTERRUPTED, NEVER_BEGAN)
        (export,) = rt.model_exports.left_in_queue()
        waited, begun = [each.id for each in rt.runs.page().items if each.status is RunStatus.INTERRUPTED]
        assert rt.queue_again() == [scored, base.id, export.id, waited], "one that had begun is resumed by its user"
        assert rt.queue.wait(30)
        assert rt.model_exports.get(export.id).status is RunStatus.SUCCEEDED, "it keeps its address"
        assert [found.layout for found in rt.model_exports.of_run(run)] == [ExportLayout.PEFT]
        assert {record.status for record in rt.evaluations.records(run)} == {RunStatus.SUCCEEDED}
        assert rt.evaluations.get(base.id).record.setup["max_new_tokens"] == 7
        assert rt.runs.get(waited).status is RunStatus.SUCCEEDED
        assert rt.runs.get(begun).status is RunStatus.INTERRUPTED
        assert rt.queue_again() == []
        assert not list(settings.home.rglob("*queued.json"))


def queued_again(home: str) -> None:
    """A server that begins none of its jobs until it is told to end."""
    JobManager._work = lambda self: None  # type: ignore[method-assign]
    with open_with(Settings.from_env({"TUNIXRT_HOME": home}), FakeBackend()) as rt:
        print(*rt.queue_again())


def test_what_waits_at_a_server_that_is_told_to_end_is_queued_again_by_the_next(
    tmp_path: Path, killed: KilledOperations
) -> None:
    settings, _, scored = left_behind(tmp_path / "home", killed)
    code = "import sys; from tests.jobs.waiting.test_left import *; queued_again(sys.argv[1])"
    command = [sys.executable, "-c", code, str(settings.home)]  # a process of its own, which is gone afterwards
    first, second = (
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        for _ in range(2)
    )
    assert first == second
    assert (len(first), first[0]) == (4, scored)


def test_one_that_cannot_be_queued_again_says_why_and_holds_up_no_other(
    tmp_path: Path, killed: KilledOperations
) -> None:
    settings, run, _ = left_behind(tmp_path / "home", killed)
    with open_with(settings, FakeBackend()) as rt:
        data = Path(rt.runs.manifest(run).data.path)
        data.write_bytes(data.read_bytes() + b"\n")
        base = of_target(rt, run, "base")
        again = rt.queue_again()
        assert len(again) == 3, "a new scoring, the export and the run do not look at the file yet"
        assert base.id not in again
        record = rt.evaluations.get(base.id).record
        assert record.status is RunStatus.FAILED
        assert record.message.startswith("It waited in the queue of a server that ended, and cannot be queued again:")
        assert "has changed since the manifest was made" in record.message
        assert not EvalDir.of(record).queued_file.exists()
        assert rt.queue.wait(30)
