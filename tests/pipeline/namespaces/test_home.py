"""The home at a glance: counts with their trend, what needs attention, and looking after it, through a Pipeline."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home, upkeep_over
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import Busy, Conflict, Stopped
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.home import disk
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.namespaces.home import CHECK, MEASURE
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.util.files.atomic import write_json


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    settings = empty_home(tmp_path / "home")
    store = open_store(settings.database_url)
    jobs = JobManager(store.runs, FakeBackend(), Accelerator(settings.accelerator_lock))
    with Pipeline(settings, store, jobs) as pipeline:
        pipeline.traces.ingest_examples(60)
        pipeline.datasets.build(DatasetSpec("examples"))
        yield pipeline


def trained(rt: Pipeline, train_steps: int = 20) -> Run:
    manifest = rt.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": train_steps})
    run = rt.runs.start(manifest)
    assert rt.queue.wait(30)
    return rt.runs.get(run.id)


def test_the_overview_counts_what_is_there_and_what_is_new(rt: Pipeline) -> None:
    run = trained(rt)
    found = rt.home.overview()
    assert (found.traces, found.dataset_versions, found.runs) == ((60, 60), (1, 1), (1, 1))
    assert [each.id for each in found.newest_runs] == [run.id]
    assert found.newest_version
    assert found.newest_version.name == "examples"
    later = rt.home.overview(now=datetime.now(UTC) + timedelta(days=8))
    assert (later.traces, later.dataset_versions, later.runs) == ((60, 0), (1, 0), (1, 0))


def test_the_best_score_stands_beside_its_base(rt: Pipeline) -> None:
    assert rt.home.overview().best is None
    rt.evaluations.start(trained(rt).id)
    assert rt.queue.wait(30)
    best = rt.home.overview().best
    assert best is not None
    assert (best.value, best.over_base, best.record.target) == (1.0, 1.0, "tuned")


def test_an_evaluation_of_the_command_is_found_by_the_overview(rt: Pipeline) -> None:
    run = trained(rt)
    rt.evaluations.start(run.id)
    assert rt.queue.wait(30)
    for record in rt.evaluations.records(run.id):
        with rt.store._database.write() as connection:
            connection.exec_driver_sql("DELETE FROM evals WHERE id = ?", (record.id,))
    assert len(rt.home.overview().evaluations) == 3


def test_the_overview_reads_no_folder_but_those_of_the_newest_runs(
    rt: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = rt.manifests.build("examples", model_id="tiny")
    for number in range(60):
        folder = RunDir(rt.settings.runs_dir / f"r-{number:04d}")
        folder.create()
        folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
        write_json(folder.state_file, {"status": "succeeded", "ended_at": 1.0})
    rt.registry.recover()
    read: set[str] = set()
    state = RunDir.state

    def noted(self: RunDir):  # type: ignore[no-untyped-def]
        read.add(self.path.name)
        return state(self)

    monkeypatch.setattr(RunDir, "state", noted)
    rt.home.overview()
    rt.home.attention()
    assert read == {f"r-{number:04d}" for number in range(40, 60)}


def test_a_failed_run_needs_attention_until_it_is_seen(rt: Pipeline) -> None:
    rt.jobs.backend.fail_at = 5  # type: ignore[attr-defined]
    run = trained(rt)
    (item,) = rt.home.attention()
    assert (item.kind, item.target) == ("failed", run.id)
    rt.home.mark_seen([item.key])
    assert rt.home.attention() == []
    assert json.loads(rt.settings.seen_file.read_bytes()).keys() == {item.key}
    # it fails again, which is news
    rt.runs.resume(run.id)
    assert rt.queue.wait(30)
    assert [again.target for again in rt.home.attention()] == [run.id]


def scored_by_an_older_scorer(rt: Pipeline) -> tuple[Run, EvalRecord, dict[str, Any]]:
    """A run, its evaluation, and the summary that this evaluation had before an older version was written into it."""
    run = trained(rt)
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(30)
    (record,) = rt.evaluations.records(run.id)
    summary = EvalDir.of(record).summary()
    assert summary is not None
    write_json(EvalDir.of(record).summary_file, {**summary, "scorers": {**summary["scorers"], "exact_match": 0}})
    return run, record, summary


def test_answers_are_scored_again_when_a_scorer_has_a_newer_version(rt: Pipeline) -> None:
    run, record, summary = scored_by_an_older_scorer(rt)
    rt.registry.evals.mirror(record.id, EvalDir.of(record))
    (item,) = rt.home.attention()
    assert (item.kind, item.action, item.target) == ("stale", "score again", record.id)
    before = record.created_at
    rt.evaluations.score_again(item.target)
    assert rt.queue.wait(30)
    assert rt.home.attention() == []
    (again,) = rt.evaluations.records(run.id)
    assert (again.status, again.created_at) == (RunStatus.SUCCEEDED, before)
    assert again.metrics["scorers"] == summary["scorers"]
    assert again.metrics["exact_match"] == summary["exact_match"]


def test_starting_an_evaluation_again_scores_anew_what_older_scorers_scored(rt: Pipeline) -> None:
    run, record, summary = scored_by_an_older_scorer(rt)
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(30)
    assert EvalDir.of(record).summary() == summary


def test_an_evaluation_without_all_its_answers_is_not_scored_again(rt: Pipeline) -> None:
    run = trained(rt)
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(30)
    (record,) = rt.evaluations.records(run.id)
    EvalDir.of(record).summary_file.unlink()
    with pytest.raises(Conflict, match="evaluate again"):
        rt.evaluations.score_again(record.id)


def test_a_run_that_trained_on_asks_for_a_new_evaluation(rt: Pipeline) -> None:
    run = trained(rt)
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(30)
    assert rt.home.attention() == []
    rt.runs.resume(run.id, train_steps=30)
    assert rt.queue.wait(30)
    (item,) = rt.home.attention()
    assert (item.action, item.text) == (
        "evaluate again",
        "was evaluated at train step 20; the run has trained on to 30.",
    )


def test_the_check_runs_in_the_background_and_its_result_is_kept(rt: Pipeline) -> None:
    assert rt.home.checked_store() is None
    rt.home.start_check()
    task = upkeep_over(rt, CHECK)
    assert (task.status, task.phase, task.done, task.total) == ("succeeded", "traces", 60, 60)
    checked = rt.home.checked_store()
    assert checked is not None
    assert (checked.health.traces, checked.health.problems) == (60, ())
    assert rt.home.attention() == []


def test_a_damaged_trace_needs_attention(rt: Pipeline) -> None:
    with rt.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE traces SET body = '{}' WHERE id = 7")
    rt.home.check_store()
    (item,) = rt.home.attention()
    assert (item.kind, item.action) == ("damaged", "check database")
    assert "does not have the content that its hash names" in item.text


def test_a_check_that_is_stopped_says_nothing(rt: Pipeline) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        rt.home.check_store(stop=stop)
    assert rt.home.checked_store() is None


def test_sizes_are_measured_in_the_background(rt: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, measure = threading.Event(), disk.measure

    def measure_when_asked(*args: Any) -> disk.DiskUse:
        assert asked.wait(30)
        return measure(*args)

    monkeypatch.setattr(disk, "measure", measure_when_asked)
    assert rt.home.disk_use() is None, "the caller does not wait for it"
    asked.set()
    upkeep_over(rt, MEASURE)
    use = rt.home.disk_use()
    assert use is not None
    assert use.bytes["database"] > 0


def test_the_compile_cache_stays_while_something_may_use_it(rt: Pipeline) -> None:
    rt.settings.compiled_dir.mkdir()
    (rt.settings.compiled_dir / "one").write_bytes(b"x" * 10)
    held = Accelerator(rt.settings.accelerator_lock).take("r-0009", "train")
    assert held is not None
    with pytest.raises(Busy, match="r-0009"):
        rt.home.empty_compile_cache()
    held.release()
    assert rt.home.empty_compile_cache() == 10


def test_who_holds_the_accelerator_is_told_with_its_memory(rt: Pipeline) -> None:
    free = rt.home.holding()
    assert free.holder is None
    assert free.memory is not None
    held = Accelerator(rt.settings.accelerator_lock).take("somewhere/else", "train")
    assert held is not None
    found = rt.home.holding()
    assert found.holder
    assert found.holder.run == "somewhere/else"
    held.release()


def test_the_log_of_the_server_is_read_from_its_end(rt: Pipeline) -> None:
    assert rt.home.server_log() == ""
    rt.settings.server_log.parent.mkdir()
    rt.settings.server_log.write_text("one\ntwo\nthree\n", encoding="utf-8")
    assert rt.home.server_log(2) == "two\nthree"
