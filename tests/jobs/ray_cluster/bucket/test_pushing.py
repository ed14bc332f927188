"""A job does not wait for its bucket: trouble is told once, and all is sent when it is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.bucket_pair import Pair
from tests.helpers.fakes import FakeBackend
from tests.helpers.machines.bucket_servers import until
from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.errors import JobFailed
from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.jobs.kinds.workplace import Workplace
from tunixrt_core.jobs.ray_cluster.bucket import pushing
from tunixrt_core.jobs.ray_cluster.bucket.store import Away
from tunixrt_core.jobs.ray_cluster.bucket.work import work_by_bucket
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.stop import StopRequest

pytestmark = needs_fsspec

AWAY = Away("The bucket cannot be reached (a test).")


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(pushing, "TICK_SECONDS", 0.02)
    made = Pair(tmp_path)
    made.send()
    return made


def test_a_bucket_that_is_away_is_told_once_and_gets_everything_when_it_is_back(pair: Pair) -> None:
    worker, pulling = pair.worker(), pair.pulling()
    worker.train(1)
    worker.pushing.begin()
    until(lambda: pulling.tick())
    pair.bucket.trouble = AWAY
    until(lambda: "cannot be reached" in worker.folder.log_tail())
    worker.train(2)
    worker.save(2)
    pair.bucket.trouble = None
    until(lambda: "reached again" in worker.folder.log_tail())
    worker.state(RunStatus.SUCCEEDED, 2)
    worker.pushing.finish()
    pulling.tick()
    assert (pair.home.read_state().status, pair.home.checkpoint_steps()) == (RunStatus.SUCCEEDED, [2])
    said = pair.home.log_tail().splitlines()
    assert [line.partition("  ")[2] for line in said] == [
        f"{AWAY} The job continues; what it writes is sent when the bucket is back.",
        "The bucket is reached again.",
    ]


def test_the_end_of_a_job_waits_for_its_bucket_but_not_forever(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "PATIENCE_SECONDS", 0.1)
    worker = pair.worker()
    worker.state(RunStatus.SUCCEEDED, 1)
    pair.bucket.trouble = AWAY
    with pytest.raises(JobFailed, match="What the job wrote last could not be sent for an hour"):
        worker.pushing.finish()


def test_what_could_not_be_sent_is_kept_on_the_worker(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "PATIENCE_SECONDS", 0.1)

    def loss(step: int) -> float:
        pair.bucket.trouble = AWAY if step == 4 else None
        return 1.0

    backend, cache = FakeBackend(loss=loss), pair.root / "cache"
    place = Workplace(backend, LoadedModels(backend), owner="ray:test/r-0001#1")
    with pytest.raises(JobFailed, match="kept on the machine of the worker") as failed:
        work_by_bucket(
            pair.spec, pair.bucket, cache, lambda models, compiled: place, stop=StopRequest(), tell=lambda news: None
        )
    kept = RunDir(cache / "not-sent" / "r-0001-1")
    assert str(kept.path) in str(failed.value)
    assert (kept.checkpoints / "last").read_text() == "4"
    assert [path.name for path in cache.iterdir()] == ["not-sent"]


def test_a_disk_of_the_worker_that_is_full_ends_no_mirror(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, pulling = pair.worker(), pair.pulling()
    worker.pushing.begin()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        until(lambda: "No space left" in worker.folder.log_tail())
    worker.train(1)
    until(lambda: pulling.tick() and pair.home.state().train_step == 1)
    worker.pushing.finish()
