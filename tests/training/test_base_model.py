"""A run knows its base model again, and refuses another one until it is accepted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import BaseChanged, NotFound
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState
from tunixrt_core.training.base_model import (
    accept_base,
    check_base,
    fingerprint,
    hash_base,
    read_base,
    record_base,
    require_same_base,
)
from tunixrt_core.util.hashing import file_sha256

MEBIBYTE = 1 << 20


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of 12 MiB: larger than what is read whole."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(os.urandom(12 * MEBIBYTE))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    folder = RunDir(tmp_path / "r-0001")
    folder.create()
    folder.write_state(RunState(train_step=40))
    return folder


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=4)


def test_the_same_files_are_the_same_base_wherever_they_lie(run: RunDir, manifest: RunManifest, model: Path) -> None:
    record_base(run, manifest, model)
    moved = model.rename(model.with_name("elsewhere"))
    require_same_base(run, manifest, moved)
    assert check_base(run, manifest, moved, whole=True).changed == ()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        # in place, of the same size
        ("model.safetensors", bytes(12 * MEBIBYTE), "model.safetensors has another content"),
        ("model.safetensors", b"short", "model.safetensors has 5 bytes, not 12,582,912"),
        ("config.json", b'{"model_type": "llama"}', "config.json has another content"),
        ("chat_template.jinja", b"{{ messages }}", "chat_template.jinja is new"),
        ("tokenizer.json", None, "tokenizer.json is missing"),
    ],
    ids=["weights", "shorter weights", "config", "template", "no tokenizer"],
)
def test_another_base_is_refused_by_the_names_of_its_files(
    run: RunDir, manifest: RunManifest, model: Path, name: str, content: bytes | None, said: str
) -> None:
    record_base(run, manifest, model)
    if content is None:
        (model / name).unlink()
    else:
        (model / name).write_bytes(content)
    with pytest.raises(BaseChanged, match=said):
        require_same_base(run, manifest, model)


def test_a_change_of_a_few_bytes_is_found_by_the_whole_hash(run: RunDir, manifest: RunManifest, model: Path) -> None:
    record_base(run, manifest, model)
    hash_base(run, manifest, model)
    with (model / "model.safetensors").open("r+b") as handle:
        handle.seek(2 * MEBIBYTE)
        handle.write(b"edited")
    assert check_base(run, manifest, model).changed == ()
    assert check_base(run, manifest, model, whole=True).changed == ("model.safetensors has another content",)


def test_an_accepted_base_is_the_base_and_the_record_keeps_the_change(
    run: RunDir, manifest: RunManifest, model: Path
) -> None:
    record_base(run, manifest, model)
    (model / "config.json").write_text("{}")
    accept_base(run, manifest, model)
    require_same_base(run, manifest, model)
    (change,) = read_base(run).replaced
    assert (change["changed"], change["train_step"]) == (["config.json has 2 bytes, not 23"], 40)


def test_the_tokenizer_of_the_manifest_belongs_to_the_base(
    run: RunDir, manifest: RunManifest, model: Path, tmp_path: Path
) -> None:
    own = tmp_path / "tokenizer"
    own.mkdir()
    (own / "tokenizer.json").write_text("[]")
    told = manifest.to_dict() | {"tokenizer": {"path": str(own)}}
    manifest = RunManifest.from_dict(told)
    record_base(run, manifest, model)
    (own / "tokenizer.json").write_text("[1]")
    with pytest.raises(BaseChanged, match=r"tokenizer/tokenizer.json has 3 bytes, not 2"):
        require_same_base(run, manifest, model)


def test_a_recorded_base_is_never_recorded_over_and_a_run_without_one_says_so(
    run: RunDir, manifest: RunManifest, model: Path
) -> None:
    with pytest.raises(NotFound, match="written when the run next starts"):
        read_base(run)
    record_base(run, manifest, model)
    before = read_base(run)
    (model / "config.json").write_text("{}")
    record_base(run, manifest, model)
    assert read_base(run) == before


def test_whole_hashes_are_those_of_the_files(run: RunDir, manifest: RunManifest, model: Path) -> None:
    record_base(run, manifest, model)
    marks = hash_base(run, manifest, model).files
    assert {name: mark.sha256 for name, mark in marks.items()} == {
        name: file_sha256(model / name) for name in ("config.json", "model.safetensors", "tokenizer.json")
    }
    assert fingerprint(model / "config.json").size == 23
