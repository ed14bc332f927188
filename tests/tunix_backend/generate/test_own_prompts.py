"""A base model's own prompts are those of its own chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.preflight_makers import ModelDir, of_model
from tunixrt_core.errors import ModelError
from tunixrt_core.traces.conversation import Conversation, Message
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.tunix_backend.generate.own_prompts import own_prompts

pytestmark = pytest.mark.tunix

TEMPLATES = Path(__file__).parents[2] / "data" / "chat_templates"
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<model>{% endif %}"
)
TALK = Conversation((Message("user", "Hi"), Message("assistant", "Hello.")))


def rendered(tmp_path: Path, models_dir: Path, template: Any, *asked: Asked) -> list[str] | None:
    model = ModelDir(tmp_path / "model").change("tokenizer_config.json", chat_template=template)
    return own_prompts(of_model(tmp_path, model, system="Answer in tags.", chat="none"), asked, models_dir)


def test_they_are_written_by_the_template_whatever_the_run_writes(tmp_path: Path, models_dir: Path) -> None:
    """Qwen's writes its own system text where there is none; the run's format and system prompt do not count."""
    template = (TEMPLATES / "qwen2_5.jinja").read_text()
    (text,) = rendered(tmp_path, models_dir, template, Asked(prompt="2 and 2?")) or []
    assert text == (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n2 and 2?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_conversation_keeps_its_turns(tmp_path: Path, models_dir: Path) -> None:
    template = (TEMPLATES / "qwen2_5.jinja").read_text()
    asked = Asked(prompt="2?", system="Be brief.", conversation=TALK)
    (text,) = rendered(tmp_path, models_dir, template, asked) or []
    places = [text.index(part) for part in ("Be brief.", "user\nHi", "assistant\nHello.", "user\n2?")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("talk", "text"),
    [
        (Conversation(), "<user>Be brief.\n\n2?<model>"),
        (TALK, "<user>Be brief.\n\nHi<assistant>Hello.<user>2?<model>"),
    ],
)
def test_where_the_template_refuses_a_system_turn_its_text_is_in_the_first_turn_of_the_user(
    tmp_path: Path, models_dir: Path, talk: Conversation, text: str
) -> None:
    asked = Asked(prompt="2?", system="Be brief.", conversation=talk)
    assert rendered(tmp_path, models_dir, NO_SYSTEM, asked) == [text]


def test_a_model_without_a_template_has_none(tmp_path: Path, models_dir: Path) -> None:
    assert rendered(tmp_path, models_dir, None, Asked(prompt="2?")) is None


def test_a_template_that_cannot_be_rendered_is_named_with_what_to_do(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"Row 1 cannot .*: division by zero. Evaluate without .*--no-own-prompt"):
        rendered(tmp_path, models_dir, "{{ 1 / 0 }}", Asked(prompt="2?", system="s"))


def test_the_built_in_model_is_asked_in_its_chat_template(tmp_path: Path, models_dir: Path) -> None:
    (text,) = own_prompts(make_manifest(tmp_path), [Asked(prompt="2 and 2?")], models_dir) or []
    assert text == "<|im_start|>user\n2 and 2?<|im_end|>\n<|im_start|>assistant\n"
