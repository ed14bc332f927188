"""Prompts put together from a question, its context and its choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.ingest.columns.choices import Choices, choices_of
from tunixrt_core.ingest.columns.names import ANSWERS
from tunixrt_core.ingest.columns.plans import Arranged, Form, Plan

_BETWEEN = "\n\n"
_PROMPT = "prompt"
_LETTER = "final_answer (as a letter)"


def with_prompt(found: Arranged, plan: Plan, form: Form) -> Arranged:
    row, fields = found.row, form.columns(found.row)
    asked = [name for name, field in fields.items() if field == _PROMPT and isinstance(row.get(name), str)]
    if not asked:
        return found
    question = row[asked[0]]
    parts = list(_contexts(row, plan.contexts, fields, question))
    choices = choices_of(row, plan.choices) if plan.choices and fields.keys().isdisjoint(plan.choices) else None
    if choices is not None and all(text in question for text in choices.texts or (choices.written,)):
        choices = None
    if not parts and choices is None:
        return found
    made, begins = dict(row), dict[str, int]()
    at = 0
    for name, text in (*parts, (asked[0], question)):
        begins[name] = at
        at += len(text) + len(_BETWEEN)
    made[asked[0]] = _BETWEEN.join([*(text for _, text in parts), question])
    used = {name: _PROMPT for name, _ in parts}
    for name, _ in parts:
        del made[name]
    if choices is not None:
        at = _add_choices(made, choices, asked)
        begins["choices"] = at
        used |= dict.fromkeys(choices.columns, _PROMPT) | _choose(made, choices)
    return found._replace(row=made, prompt_from=begins, used={**found.used, **used})


def _contexts(
    row: Mapping[str, Any], names: Sequence[str], fields: Mapping[str, str], question: str
) -> Iterator[tuple[str, str]]:
    """The columns that precede the question in the prompt, but for those whose text it contains already."""
    for name in names:
        text = _context_text(row.get(name))
        if name not in fields and text and text not in question:
            yield name, text


def _context_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return None


def _add_choices(made: dict[str, Any], choices: Choices, asked: Sequence[str]) -> int:
    """Position of the choices in the prompt: after the last part of the question."""
    last = next((name for name in reversed(asked) if str(made.get(name) or "").strip()), asked[0])
    made[last] = f"{made[last]}{_BETWEEN}{choices.written}"
    for name in choices.columns:
        del made[name]
    return len(_BETWEEN.join(made[name] for name in asked if made.get(name))) - len(choices.written)


def _choose(made: dict[str, Any], choices: Choices) -> dict[str, str]:
    """Write the answer as the letter of its choice."""
    answer = next((name for name in ANSWERS if made.get(name) is not None), None)
    if answer is None:
        return {}
    given = made[answer]
    made[answer] = choices.named_by(given, answer)
    return {} if made[answer] == given else {answer: _LETTER}
