"""New run: the plan before, one run for one click, and a button that says what will happen."""

from __future__ import annotations

import pytest

from tests.helpers.fakes import FakeBackend
from tests.pages.conftest import checked, keys, make_run, open_page, press, words
from tunixrt_core.jobs.work import Local
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.estimates.memory import MemoryNeed, MemoryReport

pytestmark = pytest.mark.tunix


def test_without_a_dataset_it_leads_to_building_one(rt: Pipeline) -> None:
    assert press(open_page("new_run.py"), "go-datasets").title[0].value == "New dataset version"


def test_plan_and_checks_stand_beside_the_form(filled: Pipeline) -> None:
    text = words(open_page("new_run.py"))
    version = filled.datasets.get("examples")
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
    assert filled.queue.wait(30)
    assert [run.id for run in filled.runs.page().items] == ["r-0001"]


def test_a_form_that_is_loaded_again_knows_what_it_has_started(filled: Pipeline) -> None:
    form = press(open_page("new_run.py", form="0123abcd"), "start-run").query_params["run"]
    assert form == "r-0001"
    assert filled.queue.wait(30)
    again = open_page("new_run.py", form="0123abcd")
    assert "r-0001 was started with these settings." in words(again)
    assert "start-run" not in keys(again), "a second click on the first button must not reach the next one"
    assert again.button(key="start-run-1").label == "Start another run"
    assert press(again, "open-r-0001").query_params["run"] == "r-0001"
    assert len(filled.runs.page().items) == 1


def test_the_same_can_be_started_again_on_purpose(filled: Pipeline) -> None:
    press(open_page("new_run.py", form="0123abcd"), "start-run")
    app = press(open_page("new_run.py", form="0123abcd"), "start-run-1")
    assert app.query_params["run"] == "r-0002"
    assert filled.queue.wait(30)
    assert "r-0002 was started" in words(open_page("new_run.py", form="0123abcd"))


def test_other_settings_in_the_same_form_are_another_run(filled: Pipeline) -> None:
    press(open_page("new_run.py", form="0123abcd"), "start-run")
    app = open_page("new_run.py", form="0123abcd")
    app.number_input(key="run-batch_size").set_value(4)
    app = checked(app.run())
    assert "was started with these settings" not in words(app)
    assert press(app, "start-run").query_params["run"] == "r-0002"
    assert filled.queue.wait(30)


def test_what_was_pressed_in_two_tabs_of_one_form_is_started_once(filled: Pipeline) -> None:
    first, second = (open_page("new_run.py", form="0123abcd") for _ in range(2))
    assert press(first, "start-run").query_params["run"] == "r-0001"
    second.button(key="start-run").click()
    checked(second.run())
    assert filled.queue.wait(30)
    assert len(filled.runs.page().items) == 1


def test_while_the_device_is_busy_the_button_queues(filled: Pipeline) -> None:
    backend = filled.jobs.backend
    assert isinstance(backend, FakeBackend)
    backend.step_seconds = 0.05
    first = filled.runs.start(filled.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": 2000}))
    app = open_page("new_run.py")
    assert app.button(key="start-run").label == "Add to queue"
    press(app, "start-run")
    assert [(job.run, job.kind) for job in filled.queue.state().waiting] == [("r-0002", "train")]
    app = open_page("new_run.py")
    assert app.button(key="start-run").label == "Add to queue (1 waiting)"
    assert f"starts after {first.id} and the waiting jobs" in words(app)
    filled.runs.stop("r-0002")
    filled.runs.stop(first.id)
    assert filled.queue.wait(30)


def test_with_a_cluster_the_machines_that_train_together_are_chosen_beside_the_button(
    filled: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "start-run-processes" not in keys(open_page("new_run.py"))
    monkeypatch.setattr(Local, "several", True)
    monkeypatch.setattr(Local, "processes", lambda self, asked: asked or 1)
    app = open_page("new_run.py", form="0123abcd")
    checked(app.number_input(key="start-run-processes").set_value(2).run())
    app = press(app, "start-run")
    assert app.query_params["run"] == "r-0001"
    assert filled.queue.wait(30)
    assert filled.runs.state("r-0001").processes == 2
    again = open_page("new_run.py", form="0123abcd")
    assert "start-run" in keys(again), "one machine is another run"


def test_a_value_that_cannot_be_used_disables_the_button_and_says_why(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    app.text_input(key="run-name").set_value("x" * 121)
    app.run()
    assert app.button(key="start-run").disabled
    assert app.error


def test_what_differs_from_the_preset_is_marked(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    assert not any("●" in field.label for field in [*app.number_input, *app.selectbox])
    app.number_input(key="run-learning_rate").set_value(1e-3)
    app = checked(app.run())
    assert app.number_input(key="run-learning_rate").label == "Learning rate :orange[● preset 3e-3]"


def test_a_setting_is_found_by_words_of_its_name_or_help_and_its_part_opens(filled: Pipeline) -> None:
    app = open_page("new_run.py")
    assert not any(part.proto.expanded for part in app.expander)
    app.text_input(key="find-run").set_value("weight decay")
    app = checked(app.run())
    assert [part.label for part in app.expander if part.proto.expanded] == ["More settings"]
    assert app.number_input(key="run-weight_decay").label == ":blue-background[Weight decay]"
    assert app.number_input(key="run-seed").label == "Seed"
    app.text_input(key="find-run").set_value("zzqy")
    assert "No setting has these words." in words(checked(app.run()))


def cloned(rt: Pipeline, **changes: object) -> str:
    """A run with settings that no preset has, one of which has no field."""
    manifest = rt.manifests.clone(
        make_run(rt, RunStatus.SUCCEEDED).id, {"learning_rate": 2e-4, "batch_size": 7, "b2": 0.95, **changes}
    ).manifest
    run = rt.runs.start(manifest)
    assert rt.queue.wait(30)
    return run.id


def test_a_clone_fills_the_form_and_marks_what_is_changed(filled: Pipeline) -> None:
    run_id = cloned(filled)
    app = open_page("new_run.py", clone=run_id)
    assert app.number_input(key="run-batch_size").value == 7
    assert app.number_input(key="run-train_steps").value == 40
    assert f"Filled from {run_id}" in words(app)
    assert "0 settings differ" in words(app)
    assert not any("● was" in field.label for field in app.number_input)
    app.number_input(key="run-learning_rate").set_value(1e-3)
    app.selectbox(key="run-schedule").set_value("linear")
    app = checked(app.run())
    assert app.number_input(key="run-learning_rate").label == "Learning rate :orange[● was 2e-4]"
    assert app.selectbox(key="run-schedule").label == "Schedule :orange[● was Cosine]"
    assert app.number_input(key="run-batch_size").label == "Batch size"
    assert "2 settings differ" in words(app)
    started = filled.runs.get(press(app, "start-run").query_params["run"])
    assert filled.queue.wait(30)
    asked = started.manifest
    assert (asked["optimizer"]["learning_rate"], asked["batch"]["size"]) == (1e-3, 7)
    assert asked["optimizer"]["b2"] == 0.95, "what has no field is kept"


def test_another_duration_of_a_clone_says_what_it_was(filled: Pipeline) -> None:
    app = open_page("new_run.py", clone=cloned(filled))
    app.get_by_key("run-by").set_value("Epochs")
    app = checked(app.run())
    assert app.number_input(key="run-epochs").label == "Epochs :orange[● was 40 train steps]"


def test_a_form_can_start_from_the_preset_again(filled: Pipeline) -> None:
    app = press(open_page("new_run.py", clone=cloned(filled)), "forget-source")
    assert app.number_input(key="run-batch_size").value == 32
    assert "Filled from" not in words(app)


def test_a_form_that_is_loaded_again_is_as_it_was_left(filled: Pipeline) -> None:
    app = open_page("new_run.py", form="0123abcd", model="tiny-micro")
    app.number_input(key="run-batch_size").set_value(4)
    app.get_by_key("run-by").set_value("Train steps")
    app = checked(app.run())
    app.number_input(key="run-train_steps").set_value(77)
    checked(app.run())
    again = open_page("new_run.py", form="0123abcd")
    assert again.number_input(key="run-batch_size").value == 4
    assert again.number_input(key="run-train_steps").value == 77
    assert again.selectbox(key="run-model").value == "tiny-micro"
    other = open_page("new_run.py", form="fedcba98")
    assert other.number_input(key="run-batch_size").value == 32
    assert other.selectbox(key="run-model").value == "tiny"


def test_a_clone_that_is_loaded_again_still_marks_what_was_changed(filled: Pipeline) -> None:
    run_id = cloned(filled)
    app = open_page("new_run.py", clone=run_id, form="0123abcd")
    app.number_input(key="run-batch_size").set_value(9)
    checked(app.run())
    again = open_page("new_run.py", clone=run_id, form="0123abcd")
    assert again.number_input(key="run-batch_size").value == 9
    assert "1 setting differs" in words(again)


def test_a_run_to_clone_that_is_not_there_is_a_sentence(filled: Pipeline) -> None:
    app = open_page("new_run.py", clone="r-9999")
    assert "There is no run 'r-9999'" in app.error[0].value
    assert app.button(key="start-run").label == "Start run"


def test_model_and_method_in_the_address_fill_the_form(filled: Pipeline) -> None:
    app = open_page("new_run.py", model="tiny-micro", method="lora")
    assert app.selectbox(key="run-model").value == "tiny-micro"
    assert app.number_input(key="run-lora_rank").value == 16


def test_a_manifest_file_fills_the_form(filled: Pipeline) -> None:
    made = filled.manifests.build("examples", model_id="tiny", hyperparams={"batch_size": 5, "seed": 11})
    app = open_page("new_run.py")
    app.get_by_key("run_load-file").upload("mine.yaml", made.to_yaml().encode())
    app = press(checked(app.run()), "run_load-fill")
    assert (app.number_input(key="run-batch_size").value, app.number_input(key="run-seed").value) == (5, 11)
    assert "Filled from mine.yaml" in words(app)
    again = open_page("new_run.py", manifest=app.query_params["manifest"])
    assert again.number_input(key="run-batch_size").value == 5
    assert "Filled from mine.yaml" in words(again)


def test_a_loaded_manifest_that_is_not_kept_any_more_is_a_sentence(filled: Pipeline) -> None:
    app = open_page("new_run.py", manifest="0123456789abcdef")
    assert "Load its file again" in app.error[0].value
    assert app.button(key="start-run").label == "Start run"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "is not YAML or JSON"),
        ("{}", "is missing"),
        ("optimizer: {learning_rate: 7}", "optimizer.learning_rate"),
    ],
)
def test_a_file_that_is_no_manifest_is_a_sentence_that_names_the_key(filled: Pipeline, text: str, said: str) -> None:
    if "optimizer" in text:
        good = filled.manifests.build("examples", model_id="tiny").to_yaml()
        text = good.replace("learning_rate: 0.003", "learning_rate: 7")
    app = open_page("new_run.py")
    app.get_by_key("run_load-file").upload("wrong.yaml", text.encode())
    app = press(checked(app.run()), "run_load-fill")
    assert said in app.error[0].value.replace("\\_", "_")
    assert app.number_input(key="run-batch_size").value == 32, "the form is left as it was"


def test_the_time_is_not_known_before_a_run_of_the_kind_has_trained(filled: Pipeline) -> None:
    assert "unknown: no run of this kind has trained here" in words(open_page("new_run.py"))


def test_a_slice_shows_its_bound_or_offers_to_compile_for_it_or_says_what_is_missing(filled: Pipeline) -> None:
    import json
    from dataclasses import asdict

    from tests.training.ahead.test_costs import report
    from tunixrt_core.training.ahead.slices import find_slice
    from tunixrt_core.tunix_backend.ahead.environment import versions

    app = open_page("new_run.py")
    offered = "slice-compile" in keys(app)
    assert offered != ("libtpu" in words(app))
    compiler = filled.manifests.slices._compiler()
    started = press(open_page("new_run.py"), "start-run").query_params["run"]
    assert filled.queue.wait(30)
    manifest = filled.runs.manifest(started)
    file = compiler._file(manifest, compiler.model(manifest), find_slice("v5e-8"), ("train",))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(report(slice="v5e-8", versions=versions()))))
    app = open_page("new_run.py")
    assert app.success[0].value.startswith("On v5e-8: fits, 19% of 32 GB, at most")
    assert "Bound on MFU" in words(app)
