"""What a run starts from fits its model and method, and is in the usual ranges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest, build_sft_manifest
from tunixrt_core.manifest.presets import PRESETS, guess_chat_format, preset
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rows import to_row

MODELS = ("tiny", "tiny-micro", "Qwen/Qwen3-0.6B", "google/gemma-2-2b-it", "meta-llama/Llama-3.2-1B")


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(to_row(trace, "train")) + "\n" for trace in example_traces(3)))
    return path


@pytest.mark.parametrize("method", PRESETS)
@pytest.mark.parametrize("model_id", MODELS)
def test_every_preset_makes_a_valid_manifest_within_its_own_ranges(data_file: Path, model_id: str, method: str) -> None:
    values = preset(model_id, method)
    assert set(values) <= set(HYPERPARAMETERS)
    manifest = RunManifest.from_dict(build_sft_manifest(data_file, model_id, "out", values))
    assert manifest.method == method
    assert list(HYPERPARAMETERS.unusual(manifest.to_dict())) == []


def test_a_hub_model_starts_with_lora_and_a_built_in_one_with_all_weights() -> None:
    assert preset("Qwen/Qwen3-0.6B")["method"] == "lora"
    assert preset("tiny")["method"] == "full"


def test_gemma_starts_with_smaller_steps_by_its_name_or_its_config(tmp_path: Path) -> None:
    for method in PRESETS:
        others = preset("Qwen/Qwen3-0.6B", method)["learning_rate"]
        assert preset("google/gemma-3-1b-it", method)["learning_rate"] < others
        assert preset(str(model(tmp_path / method, "gemma3_text")), method)["learning_rate"] < others


def model(folder: Path, kind: str, template: str | None = None, *, file: bool = False) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    if file:
        (folder / "chat_template.jinja").write_text(str(template))
    else:
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return folder


def test_the_chat_format_is_that_of_the_template_in_the_directory_then_that_of_the_type(tmp_path: Path) -> None:
    assert guess_chat_format(str(model(tmp_path / "a", "gemma3_text"))) == "gemma"
    assert guess_chat_format(str(model(tmp_path / "b", "llama"))) == "llama3"
    assert guess_chat_format(str(model(tmp_path / "c", "qwen3"))) == "chatml"
    assert guess_chat_format(str(model(tmp_path / "f", "gemma4"))) == "gemma4"
    # of Llama's make, but taught another format
    assert guess_chat_format(str(model(tmp_path / "d", "llama", "{{ '<|im_start|>' }}"))) == "chatml"
    assert guess_chat_format(str(model(tmp_path / "e", "qwen2", "<start_of_turn>", file=True))) == "gemma"


@pytest.mark.parametrize(
    ("file", "chat"),
    [
        ("qwen2_5", "qwen2.5"),
        ("qwen3", "chatml"),  # which is what its template writes unless it is told otherwise
        ("gemma", "gemma"),
        ("gemma3", "gemma3"),
        ("gemma4", "gemma4"),
        ("llama3", "llama3"),
        ("llama3_1", "llama3.1"),
    ],
)
def test_the_template_that_a_family_publishes_is_known_for_its_own(tmp_path: Path, file: str, chat: str) -> None:
    published = (REPOSITORY / "tests" / "data" / "chat_templates" / f"{file}.jinja").read_text(encoding="utf-8")
    assert guess_chat_format(str(model(tmp_path / "a", "some", published))) == chat
    assert guess_chat_format(str(model(tmp_path / "b", "some", published, file=True))) == chat


def test_a_directory_that_cannot_be_read_is_guessed_by_its_name(tmp_path: Path) -> None:
    folder = model(tmp_path / "my-llama", "mamba")
    (folder / "tokenizer_config.json").write_text("{")
    assert guess_chat_format(str(folder)) == "llama3"


@pytest.mark.parametrize(
    ("model_id", "chat"),
    [
        ("meta-llama/Llama-3.2-1B", "llama3"),
        ("Qwen/Qwen3-0.6B", "chatml"),
        ("google/gemma-2-2b-it@main", "gemma"),
        ("google/gemma-4-E2B-it", "gemma4"),
        ("Qwen/Qwen3-30B-A3B", "chatml"),
        ("kaggle:google/gemma-3/transformers/gemma-3-1b-it", "gemma"),
        ("/models/gemma/mine", "chatml"),
    ],
)
def test_without_a_directory_the_chat_format_is_guessed_from_the_last_part_of_the_name(
    model_id: str, chat: str
) -> None:
    assert guess_chat_format(model_id) == chat
