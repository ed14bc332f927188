"""Preflight: rows as tokens, checks, numbers; what blocks cannot be started from here or from New run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import state
from tests.helpers.component import readings
from tests.helpers.conversations import called
from tests.helpers.fakes import FakeBackend
from tests.pages.conftest import checked, keys, make_run, open_page, press, words
from tests.tunix_backend.conftest import make_manifest, write_rows
from tests.tunix_backend.helpers.preflight_makers import long_task, task
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import Preflight, RowView
from tunixrt_core.tunix_backend.backend import TunixBackend

pytestmark = pytest.mark.tunix


class ChecksForReal(FakeBackend):
    """Trains nothing, but its preflight is the real one."""

    def __init__(self, models_dir: Path) -> None:
        super().__init__()
        self._real = TunixBackend(models_dir)

    def preflight(self, manifest: RunManifest, folder: RunDir, **options: object) -> Preflight:  # type: ignore[override]
        return self._real.preflight(manifest, folder, **options)  # type: ignore[arg-type]

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        return self._real.preflight_rows(manifest, numbers)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    # AppTest runs the page it came from again, not the one it was led to: what was requested must be shown at once
    monkeypatch.setattr("app.ui.background.PATIENCE", 30)
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home"), "TUNIXRT_ALLOW": str(tmp_path)})
    store = open_store(settings.database_url)
    pipeline = Pipeline(settings, store, JobManager(store.runs, ChecksForReal(settings.models_dir)))
    state.set_pipeline(pipeline)
    pipeline.traces.ingest_examples(60)
    pipeline.datasets.build(DatasetSpec("examples"))
    yield pipeline
    state.set_pipeline(None)
    pipeline.close()


# of a full fine-tuning without a fault: two checks are about LoRA
PASSED = len(CHECKS) - 2


def paste(manifest: RunManifest) -> AppTest:
    app = open_page("preflight.py")
    app.text_area(key="manifest-text").set_value(manifest.to_yaml())
    return press(app, "check-manifest")


def test_from_the_menu_it_checks_the_form_that_is_open(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    app.number_input(key="run-batch_size").set_value(3)
    app = checked(app.run())
    form = app.query_params["form"]
    app.query_params.clear()  # as a click in the menu does
    app.switch_page("../pages/preflight.py")
    app = checked(app.run())
    assert "no-manifest" not in str(keys(app))
    assert app.query_params["form"] == form
    manifest = RunManifest.from_text(filled.drafts.find(str(app.query_params["manifest"]))["text"])  # type: ignore[index]
    assert manifest.batch.size == 3


def test_a_pasted_manifest_is_checked_and_can_be_started(real: Pipeline, tmp_path: Path) -> None:
    app = paste(make_manifest(tmp_path))
    text = words(app)
    assert {"Train rows", "Trained tokens", "Answers cut", "Padding"} <= {str(metric.label) for metric in app.metric}
    for shown in (f"{PASSED} checks passed", "Prompt, not trained", "step 1: ", "class='t answer'", "complete"):
        assert shown in text or shown in str([expander.label for expander in app.expander])
    app = press(app, "start-checked")
    assert app.query_params["run"] == "r-0001"
    assert real.queue.wait(30)


def test_a_pasted_manifest_stands_in_the_address_and_can_fill_the_form(real: Pipeline, tmp_path: Path) -> None:
    app = paste(make_manifest(tmp_path))
    again = open_page("preflight.py", manifest=app.query_params["manifest"], form=app.query_params["form"])
    assert f"{PASSED} checks passed" in str([expander.label for expander in again.expander])
    assert "Filled from the pasted manifest" in words(press(again, "back-to-settings"))


def test_a_clone_is_still_one_when_it_is_started_from_its_preflight(real: Pipeline) -> None:
    run = make_run(real, RunStatus.STOPPED)
    app = open_page("new_run.py", clone=run.id, form="0123abcd")
    manifest = press(app, "go-preflight").query_params["manifest"]
    app = open_page("preflight.py", manifest=manifest, form="0123abcd")
    assert f"Filled from {run.id}" in words(press(app, "back-to-settings"))
    app = open_page("preflight.py", manifest=manifest, form="0123abcd")
    started = press(app, "start-checked").query_params["run"]
    assert real.queue.wait(30)
    assert run.id in real.runs.folder(started).parent_file.read_text()


def test_a_dry_run_is_started_watched_and_its_findings_shown(real: Pipeline, tmp_path: Path) -> None:
    app = paste(make_manifest(tmp_path))
    press(app, "dry-run")
    assert real.queue.wait(30)
    text = words(checked(app.run()))
    for shown in ("Checkpoint", "&#x27;so&#x27; in", "loss 2.000 on 100 tokens", "0.00 GB"):
        assert shown in text
    assert real.runs.page().items == ()


def test_what_blocks_is_said_at_the_top_and_cannot_be_started(real: Pipeline, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [task(1), task(2, final_answer="4<|im_end|>")], [task(9)])
    app = paste(make_manifest(tmp_path, rows=rows, batch_size=2))
    assert app.error[0].value.startswith("1 check blocks training: 1 row holds")
    button = app.button(key="start-checked")
    assert button.disabled
    assert "1 check blocks training" in button.help
    assert "Rows 2" in words(app)
    assert "Keys" not in words(app)


def test_rows_are_chosen_by_what_they_show_or_by_their_line(real: Pipeline, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [task(1), long_task(2, 9), task(3)], [task(9)])
    app = paste(make_manifest(tmp_path, rows=rows, batch_size=2, max_seq_length=64, too_long="drop_steps"))
    assert "Row 2 of the file, train · shortened" in words(app)
    assert "Cut, not seen by the trainer" in words(app)
    app.segmented_control(key="pick").set_value("shortest")
    checked(app.run())
    assert "Row 1 of the file, train · complete" in words(app)
    app.segmented_control(key="row-view").set_value("Text")
    (text,) = readings(checked(app.run()))
    assert task(1).prompt in text["prompt"], "between the names of the roles, as the chat format writes them"
    assert [step["text"] for step in text["steps"]] == [step.content for step in task(1).steps]
    assert text["answer"] == task(1).final_answer
    assert "<|im_start|>" in text["output"]
    app.number_input(key="line").set_value(4)
    checked(app.run())
    assert "Row 4 of the file, eval" in words(app)
    app.number_input(key="line").set_value(40)
    checked(app.run())
    assert "no row on line 40" in words(app)


def test_a_row_that_the_chat_format_cannot_write_is_named_beside_the_findings(real: Pipeline, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [task(1), called(2)], [task(9)])
    app = paste(make_manifest(tmp_path, rows=rows, batch_size=1, chat="none"))
    app.number_input(key="line").set_value(2)
    checked(app.run())
    assert "Row 2 cannot be shown. conversation: holds tools" in words(app)
    assert "1 row holds what the chat format none has no form for" in app.error[0].value


def test_new_run_shows_what_was_found_and_leads_to_the_rows_and_back(real: Pipeline) -> None:
    app = open_page("new_run.py", dataset="examples:1")
    assert "preflight checks passed" in words(app)
    app.number_input(key="run-batch_size").set_value(4)
    app = press(checked(app.run()), "go-preflight")
    assert app.title[0].value == "Preflight"
    app = press(app, "back-to-settings")
    assert app.number_input(key="run-batch_size").value == 4, "the fields are as they were left"


def test_new_run_does_not_start_what_is_blocked(filled: Pipeline) -> None:
    from tunixrt_core.training.preflight.report import blocking

    backend = filled.jobs.backend
    assert isinstance(backend, FakeBackend)
    backend.findings = (blocking("disk", "There is no room.", keys=("output_dir",)),)
    app = open_page("new_run.py")
    assert app.button(key="start-run").disabled
    assert "There is no room" in app.button(key="start-run").help
    assert "Too little disk" in words(app)


def test_a_run_leads_to_the_preflight_of_its_manifest(real: Pipeline) -> None:
    run = make_run(real, RunStatus.STOPPED)
    app = press(open_page("run.py", run=run.id), "go-preflight")
    assert app.query_params["run"] == run.id
    assert "start-checked" not in keys(app)
    assert press(app, "back-to-run").title[0].value == run.name


def test_what_is_no_manifest_is_refused_with_its_key(real: Pipeline) -> None:
    app = open_page("preflight.py")
    app.text_area(key="manifest-text").set_value("name: x\nlayers: 3\n")
    app = press(app, "check-manifest")
    assert "model" in app.error[0].value
    assert "Nothing to check yet" in words(app)
