"""What public models bring in their tokenizer and template is taken as it is, or named: the table of models.md."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import write_rows
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check, of_model, only, task

pytestmark = pytest.mark.tunix

TURN = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
CHATML = (
    f"{{% for m in messages %}}{TURN}{{% endfor %}}{{% if add_generation_prompt %}}<|im_start|>assistant\n{{% endif %}}"
)
TURN_TOKENS = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
TOOL_USE = {"name": "tool_use", "template": "{{ tools }}"}


@pytest.mark.parametrize(
    "brought",
    [
        {**TURN_TOKENS, "unk_token": "<|eos|>"},  # SmolLM2: turns begin with BOS and end with EOS, which pads too
        {"bos_token": None},  # Qwen 2.5 and 3
        {"eos_token": {"content": "<|eos|>", "__type": "AddedToken"}},  # older files
        {"chat_template": [TOOL_USE, {"name": "default", "template": CHATML}]},  # Command R, Hermes 3
        {"chat_template": CHATML, "add_bos_token": False},
    ],
    ids=["tokens of turns", "no BOS", "token as an object", "two templates", "BOS switched off"],
)
def test_what_needs_no_choice_is_taken_as_it_is(tmp_path: Path, models_dir: Path, brought: dict[str, Any]) -> None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", **brought)
    assert check(of_model(tmp_path, model), models_dir).findings == ()


def test_a_system_prompt_in_the_template_is_shown_and_can_be_chosen(tmp_path: Path, models_dir: Path) -> None:
    source = CHATML.replace(
        "{% for m in messages %}",
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nI am Smol.<|im_end|>\n{% endif %}"
        "{% for m in messages %}",
    )
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", **TURN_TOKENS, chat_template=source)
    finding = only(check(of_model(tmp_path, model), models_dir), "chat_template")
    assert "from character 12 on" in finding.message, "the start token that both begin with is no difference"
    assert "'system\\nI am Smol." in finding.message
    assert check(of_model(tmp_path, model, system="I am Smol."), models_dir).findings == ()


def test_several_templates_without_a_default_are_none(tmp_path: Path, models_dir: Path) -> None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=[TOOL_USE, "broken"])
    only(check(of_model(tmp_path, model), models_dir), "no_chat_template")


def test_a_normalizer_is_named_for_the_rows_that_it_changes(tmp_path: Path, models_dir: Path) -> None:
    """Qwen's tokenizers compose characters."""
    model = ModelDir(tmp_path / "model").edit("tokenizer.json", lambda data: data.update(normalizer={"type": "NFC"}))
    apart = unicodedata.normalize("NFD", "Wie viel für 3 Äpfel?")
    rows = write_rows(tmp_path / "rows.jsonl", [task(1, prompt="für 1?"), task(2), task(3, prompt=apart)], [task(99)])
    assert only(check(of_model(tmp_path, model, rows=rows), models_dir), "text_changed").rows == (3,)
