"""New run: the plan before, one run for one press, and a button that says what will happen."""

from __future__ import annotations

import pytest

from tests.fakes import FakeBackend
from tests.pages.conftest import open_page, press, words
from tunixrt_core.memory import MemoryNeed, MemoryReport
from tunixrt_core.pipeline import Pipeline

pytestmark = pytest.mark.tunix


def test_without_a_dataset_it_leads_to_building_one(rt: Pipeline) -> None:
    assert press(open_page("new_run.py"), "go-datasets").title[0].value == "New dataset version"


def test_plan_and_checks_stand_beside_the_form(filled: Pipeline) -> None:
    text = words(open_page("new_run.py"))
    version = filled.dataset("examples")
    assert f"{version.train_rows} train, {version.eval_rows} eval" in text
    assert "The device is free" in text
    assert "GB on this machine" not in text, "nothing is known of the memory"


def test_the_memory_of_a_train_step_stands_under_the_plan_where_it_is_known(filled: Pipeline) -> None:
    backend = filled.jobs.backend
    assert isinstance(backend, FakeBackend)
    report = MemoryReport(400_000_000, 200_000_000, 500_000_000, 100_000_000, devices=1, row_length=64)
    backend.memory = MemoryNeed(report, report.total, 24_000_000_000, "this machine")
    assert "about 1.2 GB of 24.0 GB on this machine" in words(open_page("new_run.py"))


def test_start_makes_one_run_and_leads_to_its_page(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    assert app.button(key="start-run").label == "Start run"
    app = press(app, "start-run")
    assert app.query_params["run"] == "r-0001"
    assert app.title[0].value == "tiny-examples-v1"
    assert filled.wait(30)
    assert [run.id for run in filled.runs().items] == ["r-0001"]


def test_a_repeated_request_finds_the_run_of_the_first(filled: Pipeline) -> None:
    for _ in range(2):
        app = open_page("new_run.py")
        app.session_state["run-request-id"] = "the same press"
        app = press(app, "start-run")
        assert app.query_params["run"] == "r-0001"
    assert len(filled.runs().items) == 1


def test_while_the_device_is_busy_the_button_queues(filled: Pipeline) -> None:
    backend = filled.jobs.backend
    assert isinstance(backend, FakeBackend)
    backend.step_seconds = 0.05
    first = filled.start_run(filled.build_manifest("examples", model_id="tiny", hyperparams={"train_steps": 2000}))
    app = open_page("new_run.py")
    assert app.button(key="start-run").label == "Add to queue"
    press(app, "start-run")
    assert filled.jobs.queued() == [("r-0002", "train")]
    filled.stop_run("r-0002")
    filled.stop_run(first.id)
    assert filled.wait(30)


def test_a_value_that_cannot_be_used_disables_the_button_and_says_why(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    app.text_input(key="run-name").set_value("x" * 121)
    app.run()
    assert app.button(key="start-run").disabled
    assert app.error
