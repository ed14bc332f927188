"""After a job the bucket holds the checkpoints that the home has, and what jobs share."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.bucket_pair import Pair
from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.jobs.ray_cluster.bucket.index import keys_of_folders
from tunixrt_core.jobs.ray_cluster.bucket.tidying import tidy
from tunixrt_core.runs.record import RunStatus

pytestmark = needs_fsspec


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def trained(pair: Pair) -> set[str]:
    """The keys that are to stay."""
    pair.send()
    worker = pair.worker()
    worker.train(1)
    worker.save(1)
    worker.state(RunStatus.SUCCEEDED, 1)
    worker.pushing.finish()
    pair.pulling().tick()
    index = worker.part.index(worker.part.index_key)
    assert index is not None
    return {worker.part.index_key, worker.part.control_key, *keys_of_folders(pair.bucket, index)}


def test_of_a_training_its_checkpoints_stay(pair: Pair) -> None:
    kept = trained(pair)
    tidy(pair.bucket, pair.spec)
    assert set(pair.bucket.find("jobs/")) == kept
    assert len(kept) == 7
    assert pair.bucket.find("files/"), "its data file, for the next job"


def test_of_another_job_nothing_stays_and_of_a_run_that_was_deleted_neither(pair: Pair) -> None:
    kept = trained(pair)
    tidy(pair.bucket, pair.spec)
    other = replace(pair.spec, id="r-0002", body={**pair.spec.body, "folder": str(pair.root / "elsewhere" / "mine")})
    pair.bucket.put("jobs/e-1/1/start.json", b"{}")
    tidy(pair.bucket, replace(other, id="e-1", kind="export", body={**other.body, "options": {"layout": "merged"}}))
    assert set(pair.bucket.find("jobs/")) == kept, "its run is in the home, though in another folder"
    shutil.rmtree(pair.home.path)
    tidy(pair.bucket, other)
    assert pair.bucket.find("jobs/") == {}
