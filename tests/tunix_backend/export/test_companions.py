"""What is beside the weights of an export: tokenizer, chat template, generation config, license."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.helpers.families import write_checkpoint
from tunixrt_core.traces.rendering.chats import ChatFormat

pytestmark = pytest.mark.tunix


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "model", "qwen3")
    return tmp_path / "model"


def generation(base: Path, folder: Path, own: Path | None = None, chat: ChatFormat = ChatFormat.CHATML) -> Any:
    from tunixrt_core.tunix_backend.export.companions import write_generation_config

    folder.mkdir()
    write_generation_config(base, own, chat, folder)
    return json.loads((folder / "generation_config.json").read_text())


def test_a_generation_ends_where_a_turn_ended_in_training_and_keeps_the_bases_other_values(
    base: Path, tmp_path: Path
) -> None:
    written = {"eos_token_id": 2, "temperature": 0.6, "do_sample": True}
    (base / "generation_config.json").write_text(json.dumps(written))
    # the built-in tokenizer: 2 ends a text, 4 a turn of ChatML
    assert generation(base, tmp_path / "out") == {**written, "eos_token_id": [2, 4]}


def test_ends_that_are_there_keep_their_order(base: Path, tmp_path: Path) -> None:
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": [4, 300, 2]}))
    assert generation(base, tmp_path / "out")["eos_token_id"] == [4, 300, 2]


def test_without_a_generation_config_there_is_one_from_the_config(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "bos_token_id": 1, "eos_token_id": 2}))
    assert generation(base, tmp_path / "out") == {"bos_token_id": 1, "eos_token_id": [2, 4]}
    # plain text has no turns
    assert generation(base, tmp_path / "plain", chat=ChatFormat.NONE)["eos_token_id"] == [2]


def test_a_tokenizer_of_its_own_says_which_tokens_end_a_generation(base: Path, tmp_path: Path) -> None:
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": 500, "pad_token_id": 501}))
    found = generation(base, tmp_path / "out", own=base)
    assert found == {"eos_token_id": [2, 4], "pad_token_id": 0, "bos_token_id": 1}


def copied(base: Path, folder: Path, own: Path | None = None, chat: ChatFormat = ChatFormat.CHATML) -> set[str]:
    from tunixrt_core.tunix_backend.export.companions import copy_model_files, copy_tokenizer

    folder.mkdir()
    copy_tokenizer(base, own, chat, folder)
    copy_model_files(base, folder)
    return {path.name for path in folder.iterdir()}


def test_config_tokenizer_and_terms_are_copied_and_no_weights_index_or_card(base: Path, tmp_path: Path) -> None:
    for name in (
        "LICENSE",
        "README.md",
        "pytorch_model.bin",
        "model.safetensors.index.json",
        "pytorch_model.bin.index.json",
    ):
        (base / name).write_text("{}")
    assert copied(base, tmp_path / "out") == {"config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE"}
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (base / path.name).read_bytes()


def test_of_two_tokenizers_only_the_runs_own_goes_along(base: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (base / "vocab.json").write_text("{}")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (own / name).write_text(json.dumps(json.loads((base / name).read_text()), indent=1))
    assert copied(base, tmp_path / "out", own) == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (own / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(("chat", "there"), [(ChatFormat.LLAMA3, True), (ChatFormat.NONE, False)])
def test_a_base_without_a_chat_template_gets_that_of_the_runs_chat_format(
    base: Path, tmp_path: Path, chat: ChatFormat, there: bool
) -> None:
    config = json.loads((base / "tokenizer_config.json").read_text())
    assert "chat_template.jinja" not in copied(base, tmp_path / "with", chat=chat)
    del config["chat_template"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    assert ("chat_template.jinja" in copied(base, tmp_path / "without", chat=chat)) is there
