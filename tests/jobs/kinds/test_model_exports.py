"""Exports in the queue: into the run's folder, one per layout, listed with those of the command, failures in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.pipeline.namespaces.test_runs import finished, wait_for_records
from tests.pipeline.test_pipeline import manifest_of, open_with
from tunixrt_core.errors import Busy, Conflict, NotFound, ShuttingDown
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.training.model_export import ExportLayout, ModelExportOptions

PEFT = ModelExportOptions(ExportLayout.PEFT)


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with open_with(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "rt")}), FakeBackend()) as pipeline:
        yield pipeline


def test_an_export_lies_in_the_runs_folder_with_its_report_and_its_files(rt: Pipeline) -> None:
    run = finished(rt)
    assert rt.model_exports.of_run(run.id) == []
    begun = rt.model_exports.start(run.id)
    assert rt.queue.wait(20)
    state = rt.model_exports.get(begun.id)
    assert (state.status, state.message, state.phase) == (RunStatus.SUCCEEDED, "", "")
    (found,) = rt.model_exports.of_run(run.id)
    assert (found.layout, found.report) == (ExportLayout.MERGED, state.report)
    assert found.report["checks"][0]["by"] == "tunix"
    assert set(found.files) == {"README.md", "export.json"}
    path = rt.model_exports.file(run.id, ExportLayout.MERGED, "README.md")
    assert path.stat().st_size == found.files["README.md"]


def test_each_layout_is_exported_once(rt: Pipeline) -> None:
    run = finished(rt)
    rt.model_exports.start(run.id)
    rt.model_exports.start(run.id, PEFT)
    assert rt.queue.wait(20)
    assert [found.layout for found in rt.model_exports.of_run(run.id)] == [ExportLayout.MERGED, ExportLayout.PEFT]
    with pytest.raises(Conflict, match=r"exported to .*adapter already"):
        rt.model_exports.start(run.id, PEFT)


def test_one_that_waits_is_given_back_and_can_be_removed(tmp_path: Path) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "slow")})
    with open_with(settings, FakeBackend(step_seconds=0.02)) as rt:
        run = finished(rt, 1)
        other = rt.runs.start(manifest_of(rt, 10_000))
        wait_for_records(rt.runs.folder(other.id))
        state = rt.model_exports.start(run.id)
        assert rt.model_exports.start(run.id) == state
        assert rt.model_exports.start(run.id, PEFT) != state
        assert [(job.run, job.kind) for job in rt.queue.state().waiting] == [(run.id, "export")] * 2
        rt.queue.remove(state.id)
        state = rt.model_exports.get(state.id)
        assert (state.status, state.message) == (RunStatus.STOPPED, "Stopped before it began.")
        again = rt.model_exports.start(run.id)
        assert rt.model_exports.start(run.id) == again != state
        with pytest.raises(Busy, match="export it when it is over"):
            rt.model_exports.start(other.id)


def test_what_goes_wrong_is_told_in_words(rt: Pipeline) -> None:
    run = finished(rt)
    state = rt.model_exports.start(run.id, checkpoint="3")  # was not saved
    assert rt.queue.wait(20)
    state = rt.model_exports.get(state.id)
    assert (state.status, state.report) == (RunStatus.FAILED, None)
    assert "3" in state.message


def test_only_what_an_export_lists_is_handed_out(rt: Pipeline) -> None:
    run = finished(rt)
    rt.model_exports.start(run.id)
    assert rt.queue.wait(20)
    for name in ("../../manifest.yaml", "..", "absent.json", ""):
        with pytest.raises(NotFound):
            rt.model_exports.file(run.id, ExportLayout.MERGED, name)
    with pytest.raises(NotFound):
        rt.model_exports.file(run.id, ExportLayout.PEFT, "README.md")
    with pytest.raises(NotFound):
        rt.model_exports.get("exp-00000000")


def test_one_that_cannot_be_queued_does_not_seem_to_wait(rt: Pipeline) -> None:
    run = finished(rt)
    folder = rt.runs.folder(run.id).path / "export"
    folder.write_bytes(b"")
    with pytest.raises(OSError, match="File exists"):
        rt.model_exports.start(run.id)
    assert rt.model_exports.latest_of(run.id) == {}
    folder.unlink()
    state = rt.model_exports.start(run.id)
    assert rt.queue.wait(20)
    assert rt.model_exports.get(state.id).status is RunStatus.SUCCEEDED
    rt.jobs.close()
    with pytest.raises(ShuttingDown):
        rt.model_exports.start(run.id, PEFT)
    assert set(rt.model_exports.latest_of(run.id)) == {ExportLayout.MERGED}
    assert not list(folder.glob("*.queued.json"))
