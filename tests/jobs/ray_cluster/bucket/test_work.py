"""Real trainings whose workers reach the home by a real S3 server alone, also when it or they are gone for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.machines.bucket_servers import PATIENCE, Servers, quick, steps_of, until
from tests.helpers.machines.s3_server import KEY, SECRET, S3Server, needs_s3
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.ray_cluster.bucket.index import JobPart, keys_of_folders
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import execute_training
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.tunix_backend.model.files.checkpoints import checkpoint_steps

pytestmark = [needs_s3, pytest.mark.tunix, pytest.mark.long, pytest.mark.timeout(1800)]

STEPS = list(range(1, 21))


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with S3Server() as started:
        yield started


@pytest.fixture
def servers(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    quick(monkeypatch)
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    made = Servers(tmp_path, "s3://bucket/path", "tunix")
    yield made
    made.end()


def records(folder: RunDir) -> list[dict[str, Any]]:
    """The lines of a run's metrics, without what is measured."""
    measured = ("time", "seconds", "per_second", "memory_bytes")
    lines = [json.loads(line) for line in folder.metrics_file.read_bytes().splitlines()]
    return [{key: value for key, value in line.items() if not key.endswith(measured)} for line in lines]


def test_a_training_by_bucket_has_the_records_of_one_in_its_home_and_is_evaluated_and_exported(
    servers: Servers,
) -> None:
    manifest = servers.manifest(20)
    alone = RunDir(servers.folder / "alone")
    backend = TunixBackend(servers.settings.models_dir, servers.settings.compiled_dir)
    here = manifest.model_copy(update={"output_dir": str(alone.path)})
    assert execute_training(here, alone, backend, stop=StopRequest()).status is RunStatus.SUCCEEDED
    with servers.start() as rt:
        run = rt.runs.start(manifest)
        assert rt.queue.wait(PATIENCE)
        folder = rt.runs.folder(run.id)
        assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED
        assert records(folder) == records(alone)
        assert steps_of(rt, run.id) == STEPS
        assert checkpoint_steps(folder.checkpoints) == checkpoint_steps(alone.checkpoints)
        (evaluated,) = rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2, max_new_tokens=4))
        exported = rt.model_exports.start(run.id)
        assert rt.queue.wait(PATIENCE)
        assert rt.evaluations.get(evaluated.id).record.status is RunStatus.SUCCEEDED
        report = rt.model_exports.get(exported.id).report
        assert report is not None
        assert report == rt.model_exports.of_run(run.id)[0].report
    caches = str(servers.folder / "caches").encode()
    for file in (servers.folder / "home" / "runs").rglob("*"):
        assert not file.is_file() or caches not in file.read_bytes(), f"{file} names a folder of the worker"


def in_the_middle_of_a_checkpoint(part: JobPart) -> bool:
    """Whether a whole checkpoint is in the bucket, and large chunks of another one that no index names."""
    index = part.index(part.index_key)
    if index is None or not index.folders:
        return False
    named = set(keys_of_folders(part.bucket, index))
    chunks = {key: size for key, size in part.bucket.find(f"{part.prefix}/").items() if size > 100_000}
    return bool(chunks.keys() - named)


def test_a_worker_that_is_killed_while_it_sends_a_checkpoint_is_replaced_from_the_last_whole_one(
    servers: Servers,
) -> None:
    with servers.start() as rt:
        run = rt.runs.start(servers.manifest(20))
        folder = rt.runs.folder(run.id)
        part = JobPart(Bucket(servers.address, "home"), run.id, 1)
        until(lambda: in_the_middle_of_a_checkpoint(part))
        servers.workers.kill()
        until(lambda: "resumed from its last checkpoint" in folder.log_tail())
        whole = checkpoint_steps(folder.checkpoints)
        assert whole
        assert rt.queue.wait(PATIENCE)
        state = rt.runs.state(run.id)
        assert (rt.runs.get(run.id).status, state.attempt) == (RunStatus.SUCCEEDED, 2)
        assert steps_of(rt, run.id) == STEPS, "no step twice, and none missing"
        assert f"Resumes after train step {whole[-1]}" in folder.log_tail()


def test_a_bucket_that_is_away_for_seconds_delays_records_and_no_training(servers: Servers, s3: S3Server) -> None:
    with servers.start() as rt:
        run = rt.runs.start(servers.manifest(60))
        folder = rt.runs.folder(run.id)
        until(lambda: steps_of(rt, run.id))
        s3.go_away()
        time.sleep(10)
        s3.come_back()
        assert rt.queue.wait(PATIENCE)
        assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED
        assert steps_of(rt, run.id) == list(range(1, 61))
        said = folder.log_tail()
    assert "The bucket s3://bucket/path cannot be reached" in said
    assert "The job continues; what it writes is sent when the bucket is back." in said
    assert KEY not in said
    assert SECRET not in said


def test_wrong_credentials_end_a_run_with_a_sentence(servers: Servers, s3: S3Server) -> None:
    s3.check_credentials(check=True)
    try:
        with servers.start() as rt:
            run = rt.runs.start(servers.manifest(20))
            assert rt.queue.wait(PATIENCE)
            ended = rt.runs.get(run.id)
    finally:
        s3.check_credentials(check=False)
    assert ended.status is RunStatus.FAILED
    assert "refuses the credentials of this machine" in ended.message
    assert "AWS_ACCESS_KEY_ID" in ended.message
    assert KEY not in ended.message
    assert SECRET not in ended.message
