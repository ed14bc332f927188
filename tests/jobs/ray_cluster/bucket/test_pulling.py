"""A run's folder in the home follows the worker's, whatever dies at whatever moment, and nothing is moved twice."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.bucket_pair import Dies, Pair, Worker, is_whole, make_checkpoint
from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.errors import Superseded
from tunixrt_core.jobs.ray_cluster.bucket import pushing
from tunixrt_core.jobs.ray_cluster.bucket.index import keys_of_folders
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.files.atomic import write_json

pytestmark = needs_fsspec


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def steps_of(pair: Pair) -> list[int]:
    return [record.train_step for record in pair.home.metrics()[0]]


def test_records_and_checkpoints_appear_and_go_as_the_worker_makes_and_deletes_them(pair: Pair) -> None:
    write_json(pair.home.annotations_file, {"tags": ["mine"]})
    pair.send()
    worker, pulling = pair.worker(), pair.pulling()
    assert pulling.tick() is False, "the worker has put nothing"
    assert pair.home.queued_file.exists()
    for step in range(1, 5):
        worker.train(step)
        worker.save(step)
        worker.pushing.tick()
        assert pulling.tick() is True
        assert (steps_of(pair), pair.home.state().train_step) == (list(range(1, step + 1)), step)
        assert pair.home.checkpoint_steps() == worker.folder.checkpoint_steps()
        assert all(is_whole(pair.home.checkpoints / str(kept)) for kept in pair.home.checkpoint_steps())
    assert pair.home.checkpoint_steps() == [3, 4]
    assert pair.home.annotations_file.exists(), "what people write in the home stays"
    assert not pair.home.queued_file.exists()
    index = worker.part.index(worker.part.index_key)
    assert index is not None
    kept = {*keys_of_folders(pair.bucket, index), *(chunk.key for chunk in index.files["metrics.jsonl"])}  # type: ignore[union-attr]
    assert {key for key in pair.bucket.find(f"{worker.part.prefix}/") if "." not in key} == kept


def test_what_did_not_change_is_not_moved_again(pair: Pair) -> None:
    pair.send()
    worker, pulling = pair.worker(), pair.pulling()
    worker.train(1)
    worker.save(1)
    worker.pushing.tick()
    pulling.tick()
    requests = pair.bucket.requests
    worker.pushing.tick()
    pulling.tick()
    assert pair.bucket.requests - requests == 2, "the worker asks for requests, the server for the index"
    again = pair.pulling()
    pair.bucket.moved = 0
    again.tick()
    assert pair.bucket.moved < 20_000, "a server that was started again reads trees, and no file twice"


def test_an_end_is_not_told_before_its_last_checkpoint(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "TICK_SECONDS", 0.0)  # so that the records are due between any two chunks
    pair.send()
    worker, pulling = pair.worker(), pair.pulling()
    worker.train(1)
    worker.pushing.tick()
    pulling.tick()
    worker.save(1)
    worker.state(RunStatus.SUCCEEDED, 1)
    began = pair.bucket.requests
    worker.pushing.finish()
    puts = pair.bucket.requests - began
    for at in range(puts):
        other = Pair(pair.root / str(at))
        _end_and_die(other, at)
        other.pulling().tick()
        state = other.home.read_state()
        assert state.status is RunStatus.RUNNING or is_whole(other.home.checkpoints / "1")
    for at in range(20):
        other = Pair(pair.root / f"server-{at}")
        _end_and_die(other, None)
        other.bucket.requests, other.bucket.dies_at = 0, at
        with suppress(Dies):
            other.pulling().tick()
        state = other.home.read_state()
        assert state.status is not RunStatus.SUCCEEDED or is_whole(other.home.checkpoints / "1")
    assert state.status is RunStatus.SUCCEEDED, "the last one had all requests that it needs"
    pulling.tick()
    assert (pair.home.read_state().status, pair.home.checkpoint_steps()) == (RunStatus.SUCCEEDED, [1])


def _end_and_die(pair: Pair, at: int | None) -> None:
    pair.send()
    worker = pair.worker()
    worker.train(1)
    worker.pushing.tick()
    worker.save(1)
    worker.state(RunStatus.SUCCEEDED, 1)
    pair.bucket.requests, pair.bucket.dies_at = 0, at
    with suppress(Dies):
        worker.pushing.finish()
    pair.bucket.dies_at = None


def _trained(pair: Pair) -> Worker:
    pair.send()
    worker = pair.worker()
    worker.train(1)
    worker.save(1)
    worker.pushing.tick()
    return worker


def test_a_worker_that_dies_at_any_request_leaves_whole_checkpoints_and_true_records(tmp_path: Path) -> None:
    first = Pair(tmp_path / "first")
    worker = _trained(first)
    worker.train(2)
    worker.save(2, keep=1)
    first.bucket.requests = 0
    worker.pushing.tick()
    requests = first.bucket.requests
    assert requests > 5
    for at in range(requests):
        pair = Pair(tmp_path / str(at))
        worker = _trained(pair)
        worker.train(2)
        worker.save(2, keep=1)
        pair.bucket.requests, pair.bucket.dies_at = 0, at
        with pytest.raises(Dies):
            worker.pushing.tick()
        pair.bucket.dies_at = None
        pair.pulling().tick()
        assert steps_of(pair) in ([1], [1, 2])
        found = pair.home.checkpoint_steps()
        assert found in ([1], [2], [1, 2])
        assert all(is_whole(pair.home.checkpoints / str(step)) for step in found)


def test_a_server_that_dies_at_any_request_leaves_whole_checkpoints_and_the_next_one_has_all(tmp_path: Path) -> None:
    first = Pair(tmp_path / "first")
    _trained(first)
    first.bucket.requests = 0
    first.pulling().tick()
    for at in range(first.bucket.requests):
        pair = Pair(tmp_path / str(at))
        _trained(pair)
        pair.bucket.requests, pair.bucket.dies_at = 0, at
        with pytest.raises(Dies):
            pair.pulling().tick()
        assert all(is_whole(pair.home.checkpoints / str(step)) for step in pair.home.checkpoint_steps())
        assert steps_of(pair) in ([], [1])
        pair.bucket.dies_at = None
        pair.pulling().tick()
        assert (steps_of(pair), pair.home.checkpoint_steps()) == ([1], [1])
        left = [path for path in pair.home.path.rglob(".*") if path.is_dir()]
        assert not left, "what was not finished is removed"


def test_inputs_that_are_cut_short_are_no_start(tmp_path: Path) -> None:
    first = Pair(tmp_path / "first")
    first.send()
    for at in range(first.bucket.requests):
        pair = Pair(tmp_path / str(at))
        pair.bucket.dies_at = at
        with pytest.raises(Dies):
            pair.send()
        pair.bucket.dies_at = None
        pair.send()
        assert pair.worker().folder.state().status is RunStatus.QUEUED


def test_the_next_attempt_begins_with_what_is_in_the_bucket_and_deletes_what_it_does_not_keep(pair: Pair) -> None:
    _trained(pair)
    pair.pulling().tick()
    pair.lose()
    pair.bucket.moved = 0
    pair.send()
    assert pair.bucket.moved < 20_000, "no checkpoint and no record is put a second time"
    second, pulling = pair.worker(), pair.pulling()
    assert (second.folder.checkpoint_steps(), is_whole(second.folder.checkpoints / "1")) == ([1], True)
    second.train(2)
    second.save(2, keep=1)
    second.pushing.tick()
    pulling.tick()
    assert (steps_of(pair), pair.home.checkpoint_steps()) == ([1, 2], [2])
    index = second.part.index(second.part.index_key)
    assert index is not None
    kept = set(keys_of_folders(pair.bucket, index))
    assert not {key for key, size in pair.bucket.find("jobs/r-0001/1/").items() if size == 60_000} - kept


def test_a_checkpoint_of_an_earlier_attempt_that_is_gone_from_the_bucket_stops_nothing(pair: Pair) -> None:
    _trained(pair)
    pair.pulling().tick()
    pair.lose()
    pair.send()
    second, pulling = pair.worker(), pair.pulling()
    pair.bucket.delete([key for key in pair.bucket.find("jobs/r-0001/1/") if "." not in key])
    second.save(2, keep=1)
    second.train(2)
    second.pushing.tick()
    pulling.tick()
    assert pair.home.checkpoint_steps() == [2]


def test_a_superseded_worker_finds_out_and_reaches_nothing_of_the_next_attempt(pair: Pair) -> None:
    first = _trained(pair)
    pulling = pair.pulling()
    pulling.tick()
    pair.lose()
    pair.send()
    second = pair.worker()
    second.train(2)
    second.pushing.tick()
    pair.pulling().tick()
    before = pair.bucket.find("jobs/r-0001/2/")
    with pytest.raises(Superseded):
        pulling.tick()
    with (first.folder.metrics_file).open("ab") as file:
        file.write(b'{"kind": "train", "train_step": 99}\n')
    first.pushing.tick()
    with pytest.raises(Superseded, match="attempt 2, this is attempt 1"):
        first.state(RunStatus.RUNNING, 99)
    with pytest.raises(Superseded):
        first.pushing.finish()
    assert pair.bucket.find("jobs/r-0001/2/") == before
    pair.pulling().tick()
    assert (steps_of(pair), pair.home.state().owner) == ([1, 2], second.owner)


def test_a_stop_and_a_checkpoint_are_requested_by_files_of_the_home(pair: Pair) -> None:
    pair.send()
    worker, pulling = pair.worker(), pair.pulling()
    pair.home.save_file.touch()
    pulling.tick()
    worker.pushing.tick()
    assert (worker.folder.save_file.exists(), worker.folder.stop_file.exists()) == (True, False)
    assert not pair.home.save_file.exists()
    worker.folder.save_file.unlink()
    again = pair.pulling()  # of a server that was started again
    again.tick()
    worker.pushing.tick()
    assert not worker.folder.save_file.exists(), "one request is one checkpoint"
    pair.home.save_file.touch()
    pair.home.stop_file.touch()
    again.tick()
    worker.pushing.tick()
    assert (worker.folder.save_file.exists(), worker.folder.stop_file.exists()) == (True, True)


def test_a_checkpoint_of_the_same_train_step_replaces_a_damaged_one(pair: Pair) -> None:
    worker, pulling = _trained(pair), pair.pulling()
    pulling.tick()
    aside = worker.folder.path / "damaged-checkpoints" / "1"
    aside.parent.mkdir()
    (worker.folder.checkpoints / "1").rename(aside)
    make_checkpoint(worker.folder.checkpoints / "1")
    (worker.folder.checkpoints / "1" / "model" / "d" / "3").write_bytes(b"more")
    worker.pushing.tick()
    pulling.tick()
    assert (pair.home.checkpoints / "1" / "model" / "d" / "3").read_bytes() == b"more"
    assert (pair.home.path / "damaged-checkpoints" / "1" / "model").is_dir()
