"""Datasets: built from a form, shown with their counts and hash, downloaded, trained on."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers.component import parts, readings
from tests.pages.conftest import checked, keys, open_page, press, words
from tunixrt_core.datasets.building import Progress
from tunixrt_core.datasets.lengths import Lengths
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import Stopped
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.availability import is_tunix_available


def test_without_traces_the_page_leads_to_the_import(rt: Pipeline) -> None:
    assert press(open_page("datasets.py"), "go-import").title[0].value == "Import traces"


def test_the_form_builds_a_version_and_shows_it(rt: Pipeline) -> None:
    rt.traces.ingest_examples(60)
    app = open_page("datasets.py")
    app.text_input(key="dataset-name").set_value("dial")
    app.number_input(key="dataset-share").set_value(25.0)
    app = press(app, "build-dataset")
    version = rt.datasets.get("dial")
    assert app.title[0].value == "dial"
    assert [m.value for m in app.metric][:3] == ["60", str(version.train_rows), str(version.eval_rows)]
    assert version.content_hash in words(app)
    assert app.query_params["dataset"] == "dial:1"


def test_a_name_that_cannot_be_used_is_a_sentence_and_keeps_the_form(rt: Pipeline) -> None:
    rt.traces.ingest_examples(20)
    app = open_page("datasets.py")
    app.text_input(key="dataset-name").set_value("Not A Name")
    app = press(app, "build-dataset")
    assert "name" in app.error[0].value
    assert app.text_input(key="dataset-name").value == "Not A Name"
    assert rt.datasets.versions() == []


def test_the_plan_follows_the_fields_and_freezes_nothing(filled: Pipeline) -> None:
    app = open_page("datasets.py", new="1")
    assert "60 traces match, 10% of the prompts held back for evaluation" in words(app)
    app.number_input(key="dataset-limit").set_value(7)
    app = checked(app.run())
    assert "limit: " in words(app), "all that match have no limit"
    app.selectbox(key="dataset-selection").set_value("latest")
    app.selectbox(key="gate-answer").set_value("warn")
    app = checked(app.run())
    assert "60 traces match, at most 7 are taken, 10% of the prompts held back for evaluation, 1 quality gate" in words(
        app
    )
    app.text_input(key="dataset-name").set_value("Not A Name")
    assert "name: " in words(checked(app.run()))
    assert len(filled.datasets.versions()) == 1


def test_the_same_content_again_is_the_same_version(filled: Pipeline) -> None:
    app = open_page("datasets.py", new="1")
    app.text_input(key="dataset-name").set_value("examples")
    press(app, "build-dataset")
    assert len(filled.datasets.versions()) == 1


def test_an_address_shows_one_version(filled: Pipeline) -> None:
    filled.datasets.build(DatasetSpec("examples", eval_share=0.3))
    assert "Version 1" in words(open_page("datasets.py", dataset="examples:1"))
    assert "Version 2" in words(open_page("datasets.py"))


def test_downloads_lead_to_the_streaming_route(filled: Pipeline) -> None:
    links = {link.url for link in open_page("datasets.py").link_button}
    assert "/api/datasets/examples/1/export.jsonl?format=tunix_sft" in links


def listed(app: AppTest, name: str) -> list[dict[str, Any]]:
    """The rows of a list of the page."""
    return next(rows for part in parts(app, "listing") for key, rows in part["answer"].items() if key == name)


def test_the_preview_shows_rows_of_the_chosen_split(filled: Pipeline) -> None:
    app = open_page("datasets.py")
    train = {trace.content_hash for trace, _ in filled.datasets.rows("examples", 1, "train")}
    assert {row["id"] for row in listed(app, "rows")} <= train
    assert [row["version"] for row in listed(app, "versions")] == [1]


def test_training_is_offered_only_with_tunix(filled: Pipeline) -> None:
    assert ("train-on-this" in keys(open_page("datasets.py"))) is is_tunix_available()


@pytest.fixture
def faulty(rt: Pipeline) -> Pipeline:
    """A version with a row that a gate names."""
    rt.traces.ingest_examples(30)
    rt.traces.add_many([Trace("What is 2 + 2?", (Step(0, "<think>it is 4"),), "5", reference_answer="4")])
    rt.datasets.build(DatasetSpec("faulty", gates={"answer": "warn", "tags": "warn", "too_long": "warn"}))
    return rt


def test_gates_are_told_with_what_they_found_and_the_rows_behind_them(faulty: Pipeline) -> None:
    app = open_page("datasets.py")
    said = words(app)
    assert "1 row of 31, kept" in said
    assert "none found in 31 rows" in said
    said = "The answer is not the reference. Answer '5', reference '4'."
    assert said in [row["why"] for row in listed(app, "findings")]
    app.pills(key=f"gate-chip-{faulty.datasets.get('faulty').content_hash[:8]}").set_value("tags")
    app = checked(app.run())
    assert [row["why"] for row in listed(app, "findings")] == ["A tag is opened and never closed."]
    assert "<ins>&lt;think&gt;</ins>" in words(app)


def test_gate_finding_split_and_what_it_is_compared_with_stand_in_the_address(faulty: Pipeline) -> None:
    thoughts = {31: "a sum", 32: "another thought", 33: "no idea"}
    faulty.traces.add_many(
        Trace(f"Is it {n}?", (Step(0, said),), str(n), reference_answer="0") for n, said in thoughts.items()
    )
    for share in (0.1, 0.2, 0.3):
        faulty.datasets.build(
            DatasetSpec("gated", gates={"answer": "warn", "answer_missing": "warn"}, eval_share=share)
        )
    first, second, *_ = (view.trace for view in faulty.datasets.findings("gated", 3, "answer_missing") if view.trace)
    named = second.content_hash
    there = {"dataset": "gated:3", "gate": "answer_missing", "finding": named[:12], "split": "eval", "from": "1"}
    app = open_page("datasets.py", **there)
    assert {row["why"] for row in listed(app, "findings")} == {"The answer is in no step."}
    assert readings(app)[0]["steps"] == [{"type": "reason", "text": second.steps[0].content}]
    assert first.steps != second.steps
    assert app.segmented_control(key="preview-split").value == "eval"
    assert app.selectbox(key="diff-from-3").value == 1
    app.segmented_control(key="preview-split").set_value("train")
    app.selectbox(key="diff-from-3").set_value(2)
    app = checked(app.run())
    assert "split" not in app.query_params, "the default is left out"
    assert "from" not in app.query_params, "its parent is the default"
    assert app.query_params["gate"] == "answer_missing"


def test_the_page_does_not_wait_for_the_count_of_tokens(filled: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, real = threading.Event(), filled.datasets.lengths

    def slow(*arguments: Any, **options: Any) -> Lengths:
        assert go_on.wait(60)
        return real(*arguments, **options)

    monkeypatch.setattr(filled.datasets, "lengths", slow)
    monkeypatch.setattr("app.ui.background.PATIENCE", 0.1)
    app = open_page("datasets.py")
    assert "Counting the tokens of 60 rows" in words(app)
    assert [tile.value for tile in app.metric] == ["60", *[tile.value for tile in app.metric][1:3], "–"]
    go_on.set()
    monkeypatch.setattr("app.ui.background.PATIENCE", 20)
    app = checked(app.run())
    assert "Counting" not in words(app)
    assert app.metric[3].value != "–"


def test_the_form_sets_gates_and_selection(rt: Pipeline) -> None:
    rt.traces.ingest_examples(60)
    app = open_page("datasets.py")
    app.text_input(key="dataset-name").set_value("mine")
    app.selectbox(key="gate-tags").set_value("warn")
    app.selectbox(key="gate-near_duplicate").set_value("exclude")
    app.selectbox(key="gate-answer").set_value("exclude")
    app.selectbox(key="dataset-selection").set_value("random")
    app.number_input(key="dataset-limit").set_value(20)
    app = press(app, "build-dataset")
    spec = rt.datasets.get("mine").spec
    assert {name: gate["action"] for name, gate in spec.gates.items()} == {
        "answer": "exclude",
        "near_duplicate": "exclude",
        "tags": "warn",
    }
    assert (spec.selection, spec.limit) == ("random", 20)


def test_changes_between_versions_are_counted(filled: Pipeline) -> None:
    filled.traces.add_many([Trace("new", (Step(0, "so"),), "1")])
    filled.datasets.build(DatasetSpec("examples"))
    assert "1 added, 0 removed, 0 moved, 0 changed, 60 kept" in words(open_page("datasets.py"))


def test_a_build_that_failed_says_why_at_its_address(filled: Pipeline) -> None:
    build = filled.datasets.start_build(DatasetSpec("none", source="nowhere"))
    filled.datasets.builds.wait(build.id, 30)
    assert "No trace matches" in open_page("datasets.py", build=build.id).error[0].value


def test_a_build_under_way_can_be_stopped(filled: Pipeline) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
        on_progress("screening", 10, 40)
        assert stop.wait(60)
        raise Stopped("The build of slow was stopped. No version was stored.")

    build = filled.datasets.builds.start(work, title="slow")
    app = press(open_page("datasets.py", build=build.id), "stop-build")
    assert filled.datasets.builds.wait(build.id, 30).status == "stopped"
    assert "was stopped" in checked(app.run()).error[0].value


@pytest.mark.tunix
def test_a_version_whose_traces_were_deleted_says_so_there_in_a_new_run_and_on_the_overview(filled: Pipeline) -> None:
    filled.traces.delete(next(trace.content_hash for trace, _ in filled.datasets.rows("examples")))
    said = "1 row is missing: its trace was deleted. No run was made from it."
    for page in ("datasets.py", "new_run.py"):
        assert any(said in warning.value for warning in open_page(page).warning)
    assert said in words(open_page("overview.py"))


@pytest.mark.tunix
def test_train_on_this_leads_to_a_new_run_on_this_version(filled: Pipeline) -> None:
    filled.datasets.build(DatasetSpec("examples", eval_share=0.3))
    app = press(open_page("datasets.py", dataset="examples:1"), "train-on-this")
    assert app.title[0].value == "New run"
    assert app.selectbox(key="run-dataset").value == "examples:1"
