"""Workers in processes of their own, which share a bucket with the home and nothing else, over a folder as a bucket."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LONG
from tests.helpers.bucket_pair import Pair
from tests.helpers.machines.bucket_servers import PATIENCE, Servers, quick, steps_of, until
from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.errors import JobFailed, Stopped
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.ray_cluster.bucket.mirror import Mirror
from tunixrt_core.jobs.ray_cluster.bucket.store import Away, Refused
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.stop import StopRequest

pytestmark = [needs_fsspec, pytest.mark.slow]


AWAY = Away("The bucket cannot be reached (a test).")


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    quick(monkeypatch)
    return Pair(tmp_path)


def mirror_of(pair: Pair, stop: StopRequest, told: list[Mapping[str, Any]]) -> Mirror:
    return Mirror(pair.bucket, pair.spec, told.append, stop=stop, closing=threading.Event())


def test_inputs_wait_for_a_bucket_that_is_away_until_the_job_is_stopped(pair: Pair) -> None:
    stop = StopRequest()
    mirror = mirror_of(pair, stop, [])
    pair.bucket.trouble = AWAY
    threading.Timer(0.3, lambda: setattr(pair.bucket, "trouble", None)).start()
    mirror.send(pair.root / "models")
    assert pair.worker().folder.state().status is RunStatus.QUEUED
    pair.bucket.trouble = AWAY
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        mirror.send(pair.root / "models")


def test_a_bucket_that_refuses_ends_the_job_before_it_begins(pair: Pair) -> None:
    pair.bucket.trouble = Refused("The bucket refuses the credentials of this machine (a test).")
    with pytest.raises(JobFailed, match=r"refuses the credentials.*Correct TUNIXRT_BUCKET"):
        mirror_of(pair, StopRequest(), []).send(pair.root / "models")


def test_the_state_of_the_home_is_told_when_it_changes_and_the_end_waits_for_the_bucket(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Mapping[str, Any]] = []
    pair.send()
    worker = pair.worker()
    with mirror_of(pair, StopRequest(), told):
        worker.train(1)
        worker.pushing.tick()
        until(lambda: pair.home.state().train_step == 1)
        pair.bucket.trouble = AWAY
        until(lambda: "It is tried again" in caplog.text)
        pair.bucket.trouble = None
        worker.state(RunStatus.SUCCEEDED, 1)
        worker.pushing.finish()
        pair.bucket.trouble = AWAY
        threading.Timer(0.5, lambda: setattr(pair.bucket, "trouble", None)).start()
    assert pair.home.state().status is RunStatus.SUCCEEDED
    assert told
    assert all(news == {} for news in told)
    assert not [key for key in pair.bucket.find("jobs/") if key.endswith("start.json")], "it was tidied up"


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    quick(monkeypatch)
    made = Servers(tmp_path, f"file://{tmp_path}/bucket")
    yield made
    made.end()


def test_a_run_is_trained_evaluated_and_exported_through_the_bucket_alone(servers: Servers) -> None:
    with servers.start() as rt:
        run = rt.runs.start(servers.manifest(20))
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert (rt.runs.get(run.id).status, state.owner) == (RunStatus.SUCCEEDED, "ray:test/r-0001#1")
        assert steps_of(rt, run.id) == list(range(1, 21))
        result = rt.runs.folder(run.id).result()
        assert result is not None
        assert result["manifest_hash"] == servers.manifest(20).content_hash, "with the paths of the home"
        (evaluated,) = rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2))
        exported = rt.model_exports.start(run.id)
        assert rt.queue.wait(PATIENCE)
        view = rt.evaluations.get(evaluated.id)
        assert (view.record.status, len(view.predictions)) == (RunStatus.SUCCEEDED, 2)
        report = rt.model_exports.get(exported.id).report
        assert report is not None
        assert report == rt.model_exports.of_run(run.id)[0].report
        assert rt.model_exports.left_in_queue() == []
    _nothing_of_the_workers_is_left(servers)


def _nothing_of_the_workers_is_left(servers: Servers) -> None:
    caches = str(servers.folder / "caches").encode()
    for file in (servers.folder / "home" / "runs").rglob("*"):
        assert not file.is_file() or caches not in file.read_bytes(), file
    left = [path for path in (servers.folder / "caches").rglob("*") if path.is_file()]
    assert not left, "a worker removes its home"
    kept = {path.name for path in (servers.folder / "bucket" / "home" / "jobs").rglob("*") if path.is_file()}
    assert kept == {"index.json", "control.json"}, "of the training, which has no checkpoint of orbax"


def test_a_server_that_was_started_again_follows_the_worker_and_stops_it(servers: Servers) -> None:
    with servers.start() as rt:
        run = rt.runs.start(servers.manifest(10_000))
        until(lambda: steps_of(rt, run.id))
    assert servers.workers.started[0].poll() is None, "the worker outlives its server"
    with servers.start_again() as rt:
        rt.queue_again()
        trained = steps_of(rt, run.id)[-1]
        until(lambda: steps_of(rt, run.id)[-1] > trained)
        rt.runs.stop(run.id)
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        steps = steps_of(rt, run.id)
        assert steps == list(range(1, len(steps) + 1))


@LONG
def test_a_worker_that_was_cut_off_ends_when_it_is_back_and_changes_nothing(servers: Servers) -> None:
    with servers.start() as rt:
        run = rt.runs.start(servers.manifest(400))
        # the state comes last into the home, and what is queued cannot be saved
        until(lambda: rt.runs.state(run.id).status is RunStatus.RUNNING and steps_of(rt, run.id))
        rt.runs.save_checkpoint(run.id)
        until(lambda: (rt.runs.folder(run.id).checkpoints / "last").exists())
        first = servers.workers.started[0]
        first.send_signal(signal.SIGSTOP)
        servers.workers.cut_off.set()
        until(lambda: rt.runs.state(run.id).owner.endswith("#2") and rt.runs.state(run.id).status is RunStatus.RUNNING)
        first.send_signal(signal.SIGCONT)
        until(lambda: {"ended": "superseded"} in servers.workers.said)
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert (rt.runs.get(run.id).status, state.owner) == (RunStatus.SUCCEEDED, "ray:test/r-0001#2")
        assert steps_of(rt, run.id) == list(range(1, 401))
        assert "resumed from its last checkpoint" in rt.runs.folder(run.id).log_tail()
