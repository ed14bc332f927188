"""Text to ids and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.tiny import IM_END, PAD, write_builtin_model

pytestmark = pytest.mark.tunix


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_builtin_model("tiny-micro", tmp_path / "model")


def reconfigured(directory: Path, **changes: Any) -> TextTokenizer:
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return TextTokenizer(directory)


@pytest.mark.parametrize(
    "text",
    [
        "7 forward 4 is 1.",
        "  two  spaces\n\n\tand tabs",
        "Größe 日本語 🙂",
        "<answer>72</answer>",
        "\r\n \u00a0x",
        "a1b22 333",
    ],
)
def test_any_text_comes_back_as_it_was(directory: Path, text: str) -> None:
    tokenizer = TextTokenizer(directory)
    assert tokenizer.decode(tokenizer.encode_completion(text)) == text


def test_control_tokens_around_a_thought_and_a_call_stay_and_others_go(directory: Path) -> None:
    from tokenizers import AddedToken, Tokenizer

    tokens = ("<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>')
    file = Tokenizer.from_file(str(directory / "tokenizer.json"))
    file.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    file.save(str(directory / "tokenizer.json"))
    said = '<|channel>thought\nso <channel|><|tool_call>call:f{a:<|"|>b c<|"|>,d:<|"|><|"|>}<tool_call|>'
    tokenizer = TextTokenizer(directory)
    ids = tokenizer.encode_completion(f"<|turn>model\n{said}<turn|>")
    assert {"<|turn>", "<turn|>"} < set(map(tokenizer.control_tokens.get, ids))
    assert tokenizer.decode(ids) == f"model\n{said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"model": {"type": "Nope"}}', "is not a tokenizer .data did not match"),
        ('{"model": {"type": "BPE"}, "normalizer": {"type": "Nope"}}', "is not a tokenizer ."),
        ("{}", "is not a tokenizer"),
        ("[" * 100_000, "is not JSON"),
    ],
    ids=["model", "normalizer", "empty", "deep"],
)
def test_a_file_that_is_no_tokenizer_is_a_sentence(directory: Path, content: str, said: str) -> None:
    (directory / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=said):
        TextTokenizer(directory)


def test_every_digit_is_a_token_of_its_own(directory: Path) -> None:
    tokenizer = TextTokenizer(directory)
    assert len(tokenizer.encode_completion("4096")) == 4
    assert len(tokenizer.encode_completion(" 4 0")) == 2


def test_control_tokens_are_single_ids_and_do_not_show_in_text(directory: Path) -> None:
    tokenizer = TextTokenizer(directory)
    ids = tokenizer.encode_completion("7<|im_end|>")
    assert ids[-1] == IM_END
    assert tokenizer.decode(ids) == "7"


def test_nothing_is_added_at_the_end_of_a_prompt(directory: Path) -> None:
    tokenizer = reconfigured(directory, add_eos_token=True)
    assert tokenizer.encode("7") == tokenizer.encode_completion("7")
    assert tokenizer.bos_id() is None


def test_a_model_that_wants_a_beginning_token_gets_exactly_one(directory: Path) -> None:
    tokenizer = reconfigured(directory, add_bos_token=True)
    assert tokenizer.encode_prompt("7") == [1, *tokenizer.encode_completion("7")]
    assert tokenizer.encode_prompt("<|bos|>7") == tokenizer.encode_prompt("7")
    assert tokenizer.encode_completion("7")[0] != 1


@pytest.mark.parametrize(("said", "first"), [({}, 1), ({"add_bos_token": False}, None)])
def test_a_tokenizer_file_that_puts_a_beginning_token_is_heeded_unless_its_config_says_otherwise(
    directory: Path, said: dict[str, Any], first: int | None
) -> None:
    from tokenizers import Tokenizer, processors

    raw = Tokenizer.from_file(str(directory / "tokenizer.json"))
    raw.post_processor = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", 1)])
    raw.save(str(directory / "tokenizer.json"))
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["add_bos_token"]
    path.write_text(json.dumps(config | said))
    tokenizer = TextTokenizer(directory)
    plain = tokenizer.encode_completion("7")
    assert tokenizer.encode_prompt("7") == ([first, *plain] if first else plain)


@pytest.mark.parametrize("pad", [None, "<|eos|>"])
def test_padding_never_falls_on_the_end_of_a_turn_where_there_is_another_token(
    directory: Path, pad: str | None
) -> None:
    assert reconfigured(directory, pad_token=pad).pad_id() == PAD


def test_special_tokens_may_be_objects(directory: Path) -> None:
    assert reconfigured(directory, eos_token={"content": "<|im_end|>"}).eos_id() == IM_END


def test_a_tokenizer_that_is_missing_or_broken_is_refused(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        TextTokenizer(tmp_path)
    with pytest.raises(ModelError, match="end-of-sequence"):
        reconfigured(directory, eos_token=None)
    (directory / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        TextTokenizer(directory)
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="is not a tokenizer"):
        TextTokenizer(directory)
