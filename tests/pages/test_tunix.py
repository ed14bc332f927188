"""Export and manifest: works without Tunix, follows every field, and what it shows can be run as it is."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import checked, open_page, press, words
from tunixrt_core.export.files import FileType
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.tunix_backend.availability import is_tunix_available


def manifest_on(app: object) -> RunManifest:
    texts = [code.value for code in app.code]  # type: ignore[attr-defined]
    return RunManifest.from_text(next(text for text in texts if text.startswith("manifest_version")))


def test_without_tunix_it_tells_how_to_get_it(rt: Pipeline) -> None:
    assert ("pip install" in words(open_page("tunix.py"))) is not is_tunix_available()


def test_without_a_dataset_it_leads_to_building_one(rt: Pipeline) -> None:
    assert press(open_page("tunix.py"), "go-datasets").title[0].value == "New dataset version"


def test_the_manifest_names_an_exported_file_that_is_there(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    shown = manifest_on(app)
    assert Path(shown.data.path).is_file()
    assert shown.dataset is not None
    assert shown.dataset.name == "examples"
    assert shown == filled.manifests.build("examples", 1, model_id="tiny")
    assert any("tunixrt train tiny-examples-v1.yaml" in code.value for code in app.code)


def test_the_manifest_follows_the_fields(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.number_input(key="manifest-batch_size").set_value(4)
    app.number_input(key="manifest-learning_rate").set_value(1e-3)
    shown = manifest_on(checked(app.run()))
    assert (shown.batch.size, shown.optimizer.learning_rate) == (4, 1e-3)


def test_what_was_typed_is_there_when_the_page_is_loaded_again(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.number_input(key="manifest-batch_size").set_value(3)
    app = checked(app.run())
    again = open_page("tunix.py", form=app.query_params["form"])
    assert again.number_input(key="manifest-batch_size").value == 3
    if is_tunix_available():
        run_form = open_page("new_run.py", form=app.query_params["form"])
        assert run_form.number_input(key="run-batch_size").value == 32, "the two pages have a form each"


def test_speed_memory_and_checkpoints_are_fields_too(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.get_by_key("manifest-method").set_value("qlora")
    app = checked(app.run())  # which brings that method's preset
    app.toggle(key="manifest-packing").set_value(True)
    app.selectbox(key="manifest-remat").set_value("decoder")
    app.number_input(key="manifest-early_stopping").set_value(3)
    app.number_input(key="manifest-tile_size").set_value(16)
    shown = manifest_on(checked(app.run()))
    assert (shown.batch.packing, shown.model.remat, shown.cadence.early_stopping) == (True, "decoder", 3)
    assert (shown.method, shown.lora.tile_size) == ("qlora", 16)


def test_another_model_brings_its_own_preset(filled: Pipeline) -> None:
    directory = filled.settings.models_dir / "google" / "gemma-3-1b-it"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    app = open_page("tunix.py")
    app.get_by_key("manifest-method").set_value("lora")
    app.selectbox(key="manifest-model").set_value("google/gemma-3-1b-it")
    shown = manifest_on(checked(app.run()))
    assert (shown.method, shown.lora.rank, shown.rendering.chat) == ("lora", 16, "gemma")


def test_a_value_that_cannot_be_used_is_a_sentence_that_names_it(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.text_input(key="manifest-name").set_value("x" * 121)
    assert checked(app.run()).error[0].value.startswith("name: ")


def test_looking_at_it_twice_writes_the_dataset_once(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    path = Path(manifest_on(app).data.path)
    written = path.stat().st_mtime_ns
    checked(app.run())
    assert path.stat().st_mtime_ns == written


def code_of(app: AppTest, start: str) -> str:
    return next(str(code.value) for code in app.code if str(code.value).startswith(start))


def link(app: AppTest, key: str) -> str:
    """Where a link button leads."""
    return str(app.get_by_key(key).proto.url)


@pytest.mark.parametrize("format", ["tunix_sft", "trace", "prompt_completion", "messages", "grpo"])
def test_every_format_shows_its_first_row_and_leads_to_its_download(filled: Pipeline, format: str) -> None:
    app = open_page("tunix.py")
    app.selectbox(key="export-format").set_value(format)
    app = checked(app.run())
    (first, *_) = filled.exports.lines("examples", 1, format)
    assert orjson.loads(code_of(app, "{")) == orjson.loads(first)
    assert f"/api/datasets/examples/1/export.jsonl?format={format}" in link(app, "download-export")


def test_the_options_of_a_format_are_in_its_row_its_card_and_its_download(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.selectbox(key="export-format").set_value("messages")
    app = checked(app.run())
    app.selectbox(key="export-style").set_value("numbered")
    app.get_by_key("export-file").set_value(FileType.PARQUET)
    app = checked(app.run())
    assert orjson.loads(code_of(app, "{"))["messages"][-1]["content"].startswith("1. ")
    assert "| style | `numbered` |" in code_of(app, "---")
    assert "examples-v1.messages.parquet" in code_of(app, "---")
    assert link(app, "download-export").endswith("export.parquet?format=messages&style=numbered&reasoning=content")


def test_each_side_of_the_split_has_a_download(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.get_by_key("export-split").set_value("eval")
    app = checked(app.run())
    (first, *_) = filled.exports.lines("examples", 1, split="eval")
    assert orjson.loads(code_of(app, "{")) == orjson.loads(first)
    assert link(app, "download-export").endswith("format=tunix_sft&split=eval")
    app.get_by_key("export-split").set_value("files")
    app = checked(app.run())
    for side in ("train", "eval"):
        assert link(app, f"download-export-{side}").endswith(f"format=tunix_sft&split={side}")
    assert '"eval": "examples-v1.eval.jsonl"' in code_of(app, "---")
    assert link(app, "download-card").endswith("split_files=true")


def test_a_format_that_no_trace_can_be_written_in_says_what_is_missing(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.selectbox(key="export-format").set_value("stepwise")
    assert "needs a score on every step" in checked(app.run()).error[0].value


@pytest.mark.tunix
def test_the_settings_go_along_to_a_new_run_and_back(filled: Pipeline) -> None:
    app = open_page("tunix.py")
    app.number_input(key="manifest-batch_size").set_value(5)
    app = checked(app.run())
    made = manifest_on(app)
    run_form = press(app, "train-here")
    assert run_form.number_input(key="run-batch_size").value == 5
    assert f"Filled from {made.name}" in words(run_form)
    run_form = open_page("new_run.py", manifest=run_form.query_params["manifest"])
    run_form.number_input(key="run-batch_size").set_value(6)
    back = press(checked(run_form.run()), "view-yaml")
    assert back.number_input(key="manifest-batch_size").value == 6
    assert manifest_on(back).batch.size == 6
