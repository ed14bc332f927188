"""Prompts in a model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.tunix_backend.data.own_template import messages_of, model_template, render_template
from tunixrt_core.tunix_backend.data.rows import tokenizer_directory
from tunixrt_core.tunix_backend.data.template_worker import TemplateError, TemplateRenderer
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer

_FIX = "Evaluate without the model's own prompt (--no-own-prompt)."


def own_prompts(manifest: RunManifest, asked: Sequence[Asked], models_dir: Path) -> list[str] | None:
    """Each prompt as the model's own template writes it up to its turn; None where it has no template.

    What the template decides by itself, such as thinking or a system text of its own, stays as it is. Raises ModelError
    where it cannot be read or rendered.
    """
    directory = tokenizer_directory(manifest, models_dir)
    try:
        source = model_template(directory)
    except BrokenFile as error:
        raise ModelError(f"{error.path.name} of the base model {error.reason}. {_FIX}") from None
    if source is None:
        return None
    tokenizer = TextTokenizer(directory)
    with TemplateRenderer(source) as renderer:
        return [_rendered(renderer, tokenizer, each, place) for place, each in enumerate(asked, 1)]


def _rendered(renderer: TemplateRenderer, tokenizer: TextTokenizer, asked: Asked, place: int) -> str:
    try:
        return _written(renderer, tokenizer, asked)
    except TemplateError as error:
        reason = str(error)
    if asked.system:  # Gemma 1 and 2 refuse a system turn; it goes before the first turn of the user, as in Gemma 3
        try:
            return _written(renderer, tokenizer, without_system_turn(asked))
        except TemplateError:
            pass
    raise ModelError(f"Row {place} cannot be written in the base model's own chat template: {reason}. {_FIX}")


def _written(renderer: TemplateRenderer, tokenizer: TextTokenizer, asked: Asked) -> str:
    talk = asked.conversation
    messages = messages_of(asked.system or None, asked.prompt, talk)
    return render_template(renderer, messages, tokenizer, prompt=True, tools=talk.tool_values)


def without_system_turn(asked: Asked) -> Asked:
    """The same with the system text before the first turn of the user."""
    talk, before = asked.conversation, f"{asked.system}\n\n"
    first = next((i for i, message in enumerate(talk.messages) if message.role == "user"), None)
    if first is None:
        return replace(asked, system="", prompt=before + asked.prompt)
    opened = structs.replace(talk.messages[first], content=before + talk.messages[first].content)
    messages = (*talk.messages[:first], opened, *talk.messages[first + 1 :])
    return replace(asked, system="", conversation=structs.replace(talk, messages=messages))
