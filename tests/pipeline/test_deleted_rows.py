"""Deleted traces: their dataset versions say so, and what was frozen and exported before stays usable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tests.pipeline.test_pipeline import manifest_of, open_with
from tunixrt_core.datasets.held import held_words
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.store.query import TraceQuery


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with open_with(empty_home(tmp_path / "rt"), FakeBackend()) as pipeline:
        yield pipeline


@pytest.fixture
def run(rt: Pipeline) -> Run:
    run = rt.runs.start(manifest_of(rt, 5))
    assert rt.queue.wait(20)
    return rt.runs.get(run.id)


def first_of(rt: Pipeline) -> str:
    return next(trace.content_hash for trace, _ in rt.datasets.rows("mine"))


def test_before_a_deletion_versions_runs_and_evaluations_are_named(rt: Pipeline, run: Run) -> None:
    evaluation = rt.evaluations.start(run.id, targets=("tuned",))[0]
    assert rt.queue.wait(20)
    trace = first_of(rt)
    (held,) = rt.traces.held_by(trace)
    assert (held.label, held.rows, held.runs, held.evaluations) == ("mine v1", 1, (run.id,), (evaluation.id,))
    assert held_words([held]) == [f"mine v1 lists 1 of them; runs made from it: {run.id}; 1 evaluation"]
    (all_of_them,) = rt.traces.held_by(TraceQuery(source=rt.traces.get(trace).trace.source))
    assert all_of_them.rows == rt.datasets.get("mine").rows
    assert rt.datasets.missing() == []


def test_a_version_says_what_is_missing_until_the_traces_are_there_again(rt: Pipeline, run: Run) -> None:
    version, trace = rt.datasets.get("mine"), first_of(rt)
    whole, kept = rt.datasets.content_now(version), rt.traces.get(trace).trace
    rt.traces.delete(trace)
    (missing,) = rt.datasets.missing()
    assert missing == rt.datasets.missing_of(version)
    assert (missing.rows, missing.runs) == (1, (run.id,))
    assert missing.missing_words == f"1 row is missing: its trace was deleted. Runs made from it: {run.id}."
    assert missing.missing_words in [item.text for item in rt.home.attention()]
    without_one = rt.datasets.content_now(version)
    rt.traces.add(kept)
    assert (rt.datasets.missing(), rt.datasets.content_now(version)) == ([], whole)
    rt.traces.delete(list(rt.datasets.rows("mine"))[1][0].content_hash)
    assert rt.datasets.content_now(version) not in (whole, without_one), "as many are missing, but other ones"


def test_what_was_exported_before_is_trained_resumed_and_evaluated_after_a_deletion(rt: Pipeline, run: Run) -> None:
    manifest, trace = RunManifest.from_dict(run.manifest), first_of(rt)
    kept = rt.traces.get(trace).trace
    rt.traces.delete(trace)
    fewer = rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 5})
    assert (fewer.data.rows, fewer.data.path != manifest.data.path) == (manifest.data.rows - 1, True)
    assert rt.exports.write("mine").path == Path(fewer.data.path)
    rt.runs.resume(run.id, train_steps=7)
    assert rt.queue.wait(30)
    rt.evaluations.start(run.id, targets=("tuned",))
    again = rt.runs.start(rt.manifests.clone(run.id).manifest)
    assert rt.queue.wait(30)
    assert rt.runs.state(run.id).train_step == 7
    assert rt.runs.get(again.id).status is RunStatus.SUCCEEDED
    assert {record.status for record in rt.evaluations.records()} == {RunStatus.SUCCEEDED}
    rt.traces.add(kept)
    assert rt.manifests.build("mine", model_id="tiny").data == manifest.data
    check_data_unchanged(fewer.data)


def test_a_file_that_a_run_names_is_kept_wherever_it_is(rt: Pipeline) -> None:
    rt.traces.ingest_examples(40)
    rt.datasets.build("mine")
    folder = rt.settings.home / "files"
    file = rt.exports.write("mine", path=folder / "mine.jsonl").path
    sides = rt.exports.write_split_files("mine", folder=folder)
    for path in (file, sides["train"].path):
        rt.runs.start(rt.manifests.build(data_file=path, model_id="tiny", hyperparams={"train_steps": 2}))
    assert rt.queue.wait(20)
    before = file.read_bytes(), sides["train"].path.read_bytes()
    rt.traces.delete(next(trace.content_hash for trace, side in rt.datasets.rows("mine") if side == "train"))
    beside = rt.exports.write("mine", path=folder / "mine.jsonl").path
    train = rt.exports.write_split_files("mine", folder=folder)["train"].path
    assert (file.read_bytes(), sides["train"].path.read_bytes()) == before
    assert beside.name.endswith("-mine.jsonl")
    assert train.name.endswith("-train.jsonl")
