"""A manifest is complete, strict, and the same through YAML and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest, json_schema, load_manifest
from tunixrt_core.util.hashing import file_sha256


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    rows: list[dict[str, Any]] = [
        {"prompt": f"p{i}", "trace_steps": ["s"], "final_answer": "a", "metadata": {"split": split}}
        for i, split in enumerate(["train", "train", "eval"])
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def build(data_file: Path, **hyperparams: Any) -> RunManifest:
    return RunManifest.from_dict(build_sft_manifest(data_file, "tiny", "out", hyperparams))


def test_it_names_the_data_file_with_its_hash_and_rows(data_file: Path) -> None:
    data = build(data_file).data
    assert data.sha256 == file_sha256(data_file)
    assert (data.rows, data.train_rows, data.eval_rows) == (3, 2, 1)


def test_yaml_and_json_read_back_as_the_same_manifest(data_file: Path) -> None:
    manifest = build(data_file, learning_rate=1e-3, reasoning="think")
    assert RunManifest.from_text(manifest.to_yaml()) == manifest
    assert RunManifest.from_text(manifest.to_json()) == manifest
    assert RunManifest.from_text(manifest.to_yaml()).content_hash == manifest.content_hash


def test_a_number_in_scientific_notation_is_a_number(data_file: Path) -> None:
    # YAML 1.1 reads 2e-4 as text
    text = build(data_file).to_yaml().replace("learning_rate: 0.003", "learning_rate: 2e-4")
    assert RunManifest.from_text(text).optimizer.learning_rate == 2e-4


@pytest.mark.parametrize(
    ("hyperparams", "key"),
    [
        ({"lr": 1e-3}, "hyperparams.lr"),
        ({"learning_rate": -1}, "optimizer.learning_rate"),
        ({"learning_rate": float("nan")}, "optimizer.learning_rate"),
        ({"batch_size": 0}, "batch.size"),
        ({"batch_size": "many"}, "batch.size"),
        ({"epochs": 1, "train_steps": 5}, "duration"),
        ({"method": "qlora2"}, "method"),
        ({"lora_rank": 0}, "lora.rank"),
        ({"chat": "smoke"}, "rendering.chat"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_wrong_hyperparameter_is_an_error_that_names_its_key(
    data_file: Path, hyperparams: dict[str, Any], key: str
) -> None:
    with pytest.raises(InvalidManifest) as caught:
        build(data_file, **hyperparams)
    assert caught.value.key == key


def test_an_unknown_key_is_an_error_that_names_it(data_file: Path) -> None:
    data = build(data_file).to_dict()
    data["optimizer"]["momentum"] = 0.9
    with pytest.raises(InvalidManifest, match=r"optimizer\.momentum: is not a key"):
        RunManifest.from_dict(data)


@pytest.mark.parametrize(("flash", "attention"), [(False, "reference"), (True, "auto")])
def test_a_manifest_of_an_earlier_version_keeps_its_attention(data_file: Path, flash: bool, attention: str) -> None:
    data = build(data_file).to_dict()
    del data["model"]["attention"]
    data["model"]["flash_attention"] = flash
    manifest = RunManifest.from_dict(data)
    assert manifest.model.attention == attention
    assert "flash_attention" not in manifest.to_dict()["model"]


@pytest.mark.parametrize("wrong", [{"flash_attention": "yes"}, {"flash_attention": True, "attention": "auto"}])
def test_flash_attention_is_refused_with_what_replaced_it(data_file: Path, wrong: dict[str, Any]) -> None:
    data = build(data_file).to_dict()
    del data["model"]["attention"]
    with pytest.raises(InvalidManifest, match=r"model: flash_attention was replaced by attention\. Remove it"):
        RunManifest.from_dict({**data, "model": {**data["model"], **wrong}})


def test_all_errors_are_listed_not_only_the_first(data_file: Path) -> None:
    data = build(data_file).to_dict()
    data["seed"], data["output_dir"] = -1, ""
    with pytest.raises(InvalidManifest) as caught:
        RunManifest.from_dict(data)
    assert {error["key"] for error in caught.value.details["errors"]} == {"seed", "output_dir"}


def test_a_missing_data_file_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="dataset_path: there is no file"):
        build_sft_manifest(tmp_path / "none.jsonl", "tiny", "out", {})


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b'{"prompt": "p"}\n', b"\xff\xfe\n"])
def test_a_data_file_that_is_no_tunix_sft_export_is_refused_with_its_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(line)
    with pytest.raises(InvalidManifest, match="line 1"):
        build_sft_manifest(path, "tiny", "out", {})


def test_a_data_file_with_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"\n")
    with pytest.raises(InvalidManifest, match="no rows to train on"):
        build_sft_manifest(path, "tiny", "out", {})


@pytest.mark.parametrize("model_id", ["/nowhere/model", "./nowhere", "~/nowhere", "a/b/c", ""])
def test_a_model_directory_that_is_not_there_is_refused(data_file: Path, model_id: str) -> None:
    with pytest.raises(InvalidManifest, match="model_id"):
        build_sft_manifest(data_file, model_id, "out", {})


def test_a_hub_model_gets_the_lora_preset_and_its_chat_format(data_file: Path) -> None:
    built = RunManifest.from_dict(build_sft_manifest(data_file, "google/gemma-3-1b-it", "out", {}))
    assert built.method == "lora"
    assert built.rendering.chat == "gemma"


def test_train_steps_follow_from_epochs_and_batch(data_file: Path) -> None:
    manifest = build(data_file, epochs=3, batch_size=4, gradient_accumulation=2)
    assert manifest.total_train_steps(train_rows=100) == 38  # 300 rows in steps of 8, the last one started
    assert build(data_file, train_steps=7).total_train_steps(train_rows=100) == 7


def test_a_moved_manifest_finds_its_data_beside_it(data_file: Path, tmp_path: Path) -> None:
    manifest = build(data_file)
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "manifest.yaml").write_text(manifest.to_yaml())
    data_file.rename(other / data_file.name)
    loaded = load_manifest(other / "manifest.yaml")
    assert Path(loaded.data.path) == other / data_file.name
    check_data_unchanged(loaded.data)


def test_a_changed_data_file_is_refused(data_file: Path) -> None:
    manifest = build(data_file)
    data_file.write_bytes(data_file.read_bytes() + b"\n")
    with pytest.raises(InvalidManifest, match=r"data\.sha256"):
        check_data_unchanged(manifest.data)


@pytest.mark.parametrize("text", ["[1, 2", "just words", "", "model: [", "\tx: 1"])
def test_text_that_is_no_manifest_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(InvalidManifest):
        load_manifest(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_manifest_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidManifest, match="manifest:"):
        load_manifest(path)


def test_the_published_schema_is_the_one_the_program_checks_with() -> None:
    published = REPOSITORY / "docs" / "reference" / "run-manifest.schema.json"
    assert orjson.loads(published.read_bytes()) == json_schema(), "write it again with `make schema`"
