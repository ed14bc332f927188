"""The built-in models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.tunix_backend.model.tiny import BUILTIN_MODELS, SPECIAL_TOKENS, write_builtin_model
from tunixrt_core.util.hashing import file_sha256

pytestmark = pytest.mark.tunix


def hashes(directory: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(directory.iterdir())}


def test_the_manifest_knows_the_built_in_models_by_name() -> None:
    assert set(BUILTIN_MODEL_IDS) == set(BUILTIN_MODELS)


@pytest.mark.parametrize("name", list(BUILTIN_MODELS))
def test_a_model_is_the_same_bytes_in_every_process(tmp_path: Path, name: str) -> None:
    first = write_builtin_model(name, tmp_path / "first")
    code = (
        "import sys, pathlib; from tunixrt_core.tunix_backend.model.tiny import write_builtin_model as w; "
        "w(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, name, str(tmp_path / "second")], check=True)
    assert hashes(first) == hashes(tmp_path / "second")
    assert "model.safetensors" in hashes(first)


def test_a_model_that_is_there_is_left_alone(tmp_path: Path) -> None:
    directory = write_builtin_model("tiny-micro", tmp_path / "model")
    before = (directory / "model.safetensors").stat().st_mtime_ns
    write_builtin_model("tiny-micro", directory)
    assert (directory / "model.safetensors").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_of_another_version_is_replaced_whole(tmp_path: Path) -> None:
    directory = write_builtin_model("tiny-micro", tmp_path / "model")
    whole = hashes(directory)
    (directory / "config.json").write_text("{}")
    (directory / "stray.txt").write_text("left by another version")
    write_builtin_model("tiny-micro", directory)
    assert hashes(directory) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Choose one of tiny, tiny-micro"):
        write_builtin_model("huge", tmp_path / "huge")


@pytest.mark.parametrize("name", list(BUILTIN_MODELS))
def test_the_files_fit_together(tmp_path: Path, name: str) -> None:
    from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer

    directory = write_builtin_model(name, tmp_path / name)
    config = json.loads((directory / "config.json").read_text())
    tokenizer = TextTokenizer(directory)
    assert tokenizer.vocab_size <= config["vocab_size"]
    assert [tokenizer.token_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    assert (tokenizer.pad_id(), tokenizer.eos_id()) == (config["pad_token_id"], config["eos_token_id"])
