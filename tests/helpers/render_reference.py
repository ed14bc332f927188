"""The model families' own chat templates, rendered as transformers does."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.conftest import REPOSITORY

DIRECTORY = REPOSITORY / "tests" / "data" / "chat_templates"


def reference_template(name: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment.from_string((DIRECTORY / f"{name}.jinja").read_text(encoding="utf-8"))


def refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def messages_of(system: str | None, prompt: str, answer: str = "", reasoning: str | None = None) -> list[Any]:
    """System, user and, with an answer, assistant turn; the reasoning apart where it is given."""
    turns: list[Any] = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": prompt})
    if answer:
        turns.append({"role": "assistant", "content": answer})
        if reasoning is not None:
            turns[-1]["reasoning_content"] = reasoning
    return turns
