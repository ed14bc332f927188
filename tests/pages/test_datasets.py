"""Datasets: built from a form, shown with their counts and hash, downloaded, trained on."""

from __future__ import annotations

import pytest

from tests.pages.conftest import keys, open_page, press, words
from tunixrt_core.datasets import DatasetSpec
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.tunix_backend.availability import is_tunix_available


def test_without_traces_the_page_leads_to_the_import(rt: Pipeline) -> None:
    assert press(open_page("datasets.py"), "go-import").title[0].value == "Import traces"


def test_the_form_builds_a_version_and_shows_it(rt: Pipeline) -> None:
    rt.ingest_examples(60)
    app = open_page("datasets.py")
    app.text_input(key="dataset-name").set_value("dial")
    app.number_input(key="dataset-share").set_value(25.0)
    app = press(app, "build-dataset")
    version = rt.dataset("dial")
    assert app.title[0].value == "dial"
    assert [m.value for m in app.metric][:3] == ["60", str(version.train_rows), str(version.eval_rows)]
    assert version.content_hash in words(app)
    assert app.query_params["dataset"] == "dial:1"


def test_a_name_that_cannot_be_used_is_a_sentence_and_keeps_the_form(rt: Pipeline) -> None:
    rt.ingest_examples(20)
    app = open_page("datasets.py")
    app.text_input(key="dataset-name").set_value("Not A Name")
    app = press(app, "build-dataset")
    assert "name" in app.error[0].value
    assert app.text_input(key="dataset-name").value == "Not A Name"
    assert rt.dataset_versions() == []


def test_the_same_content_again_is_the_same_version(filled: Pipeline) -> None:
    app = open_page("datasets.py", new="1")
    app.text_input(key="dataset-name").set_value("examples")
    press(app, "build-dataset")
    assert len(filled.dataset_versions()) == 1


def test_an_address_shows_one_version(filled: Pipeline) -> None:
    filled.build_dataset(DatasetSpec("examples", eval_share=0.3))
    assert "Version 1" in words(open_page("datasets.py", dataset="examples:1"))
    assert "Version 2" in words(open_page("datasets.py"))


def test_downloads_lead_to_the_streaming_route(filled: Pipeline) -> None:
    links = {link.url for link in open_page("datasets.py").link_button}
    assert "/api/datasets/examples/1/export.jsonl?format=tunix_sft" in links


def test_the_preview_shows_rows_of_the_chosen_split(filled: Pipeline) -> None:
    app = open_page("datasets.py")
    shown = app.dataframe[1].value
    train = {trace.content_hash[:8] for trace, _ in filled.dataset_rows("examples", 1, "train")}
    assert set(shown["id"]) <= train


def test_training_is_offered_only_with_tunix(filled: Pipeline) -> None:
    assert ("train-on-this" in keys(open_page("datasets.py"))) is is_tunix_available()


@pytest.mark.tunix
def test_train_on_this_leads_to_a_new_run_on_this_version(filled: Pipeline) -> None:
    filled.build_dataset(DatasetSpec("examples", eval_share=0.3))
    app = press(open_page("datasets.py", dataset="examples:1"), "train-on-this")
    assert app.title[0].value == "New run"
    assert app.selectbox(key="run-dataset").value == "examples:1"
