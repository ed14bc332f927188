"""Rows with unusual columns, arranged so that a format can read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.choices import Choices, choice_columns, choices_of
from tunixrt_core.ingest.columns.names import (
    ANSWERS,
    CHATS,
    CONTEXTS,
    KEYS_OF_CHOICES,
    REFERENCES,
    STRUCTURED,
    renamed,
)
from tunixrt_core.ingest.files.python_text import python_value
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

PROMPT_FROM = "prompt_from"  # in `meta`: where each column begins in a prompt that was put together
_BETWEEN = "\n\n"
_MAX_PLANS = 1_000
# formats that say of every key what it is, so that nothing is to be found out
_EXACT = frozenset({"trace", "tunix_sft", "atif", "prm800k", "mapping"})
# formats that find their reference themselves
_OWN_REFERENCE = frozenset({"gsm8k", "grpo", "question_answer", "s1k", "openthoughts", "openmathreasoning"})
_PROMPT = "prompt"
_LIST_BEGINS = ("[", " ", "\n", "\t", "\r")
_LETTER = "final_answer (as a letter)"

Item = Trace | ScoredTrace | InvalidTrace


class Form(Protocol):
    """What is needed of a format here."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a constant of the module

    def columns(self, row: dict[str, Any]) -> Mapping[str, str]: ...


class Arranged(NamedTuple):
    """A row as a format reads it. `names` leads from its own spelling to the file's, where they differ."""

    row: dict[str, Any]
    names: Mapping[str, str] = {}
    reference: str | None = None
    prompt_from: Mapping[str, int] | None = None
    used: Mapping[str, str] = {}  # column -> the field of the trace that it went into


class _Plan(NamedTuple):
    """What there may be to do for rows with certain keys, judged by the names alone."""

    names: Mapping[str, str]  # usual name -> the file's
    structured: tuple[str, ...]
    chats: tuple[str, ...]
    contexts: tuple[str, ...]
    choices: tuple[str, ...]
    references: tuple[str, ...]
    of_references: bool  # and nothing else


def _plan_of(keys: Sequence[str]) -> _Plan:
    by_file = renamed(keys)
    names = [by_file.get(name, name) for name in keys]
    found = set(names)
    choices = choice_columns(names)
    if choices and found.isdisjoint(ANSWERS):
        key = next((name for name in KEYS_OF_CHOICES if name in found), None)
        if key is not None:  # a column that says which choice is right is the answer
            by_file[keys[names.index(key)]] = "answer"
            found = found - {key} | {"answer"}
    plan = _Plan(
        names={usual: name for name, usual in by_file.items()},
        structured=tuple(name for name in STRUCTURED if name in found),
        chats=() if found & {"messages", "conversations"} else tuple(name for name in CHATS if name in found),
        contexts=tuple(name for name in _contexts_of(found) if name in found),
        choices=choices,
        references=tuple(name for name in REFERENCES if name in found),
        of_references=False,
    )
    return plan._replace(of_references=bool(plan.references) and not any(plan[:-2]))


def _contexts_of(names: Set[str]) -> tuple[str, ...]:
    """An instruction is one too where something else is the question."""
    return ("instruction", *CONTEXTS) if names & {"question", "problem", "query", "prompt"} else CONTEXTS


class Arranger:
    """Arranges the rows of one file, with a plan for each set of keys that was seen once."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, ...], _Plan | None] = {}

    def prepared(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its usual names and without JSON text: what the format is found by."""
        plan = self._plan(row)
        return row if plan is None else _prepared(row, plan)

    def arranged(self, row: dict[str, Any], form: Form) -> Arranged | None:
        """The row for this format; None where it is read unchanged. Raises InvalidTrace."""
        plan = self._plan(row)
        if plan is None or (form.NAME in _OWN_REFERENCE and plan.of_references):
            return None
        if form.NAME in _EXACT:
            return _exact(row, plan, form)
        prepared = _prepared(row, plan)
        if prepared is row and not (plan.contexts or plan.choices or plan.references):
            return None
        found = Arranged(prepared, plan.names)
        if "trace_id" in _metadata(found.row):  # an export of ours, which says all itself
            return None if found.row is row else found
        if plan.contexts or plan.choices:
            found = _with_prompt(found, plan, form)
        if plan.references and form.NAME not in _OWN_REFERENCE:
            found = _with_reference(found, plan, form)
        return None if found.row is row and found.reference is None else found

    def read_as(self, row: dict[str, Any], form: Form) -> dict[str, Any]:
        """The row as it is given to this format. Raises InvalidTrace."""
        arranged = self.arranged(row, form)
        return row if arranged is None else arranged.row

    def _plan(self, row: Mapping[str, Any]) -> _Plan | None:
        keys = tuple(row)
        try:
            return self._plans[keys]
        except KeyError:
            plan = _plan_of(keys)
            found = plan if any(plan) else None
            if len(self._plans) < _MAX_PLANS:
                self._plans[keys] = found
            return found


def finished(arranged: Arranged, items: Sequence[Item]) -> list[Item]:
    """What a format made of an arranged row, with what the arranging found: names of the file, reference, prompt."""
    return [_finished(arranged, item) for item in items]


def fields_of(arranged: Arranged, fields: Mapping[str, str]) -> dict[str, str]:
    """Column of the file -> field, from what the format says and what was arranged."""
    found = {arranged.names.get(name, name): field for name, field in fields.items()}
    return found | {arranged.names.get(name, name): field for name, field in arranged.used.items()}


def _finished(arranged: Arranged, item: Item) -> Item:
    if isinstance(item, InvalidTrace):
        head = item.field.split(".")[0].split("[")[0]
        if head in arranged.names:
            return InvalidTrace(arranged.names[head] + item.field[len(head) :], item.reason)
        return item
    trace = item.trace if isinstance(item, ScoredTrace) else item
    meta = {arranged.names.get(name, name): value for name, value in trace.meta.items() if name not in arranged.used}
    if arranged.prompt_from:
        meta[PROMPT_FROM] = dict(arranged.prompt_from)
    reference = trace.reference_answer if trace.reference_answer is not None else arranged.reference
    if meta == trace.meta and reference == trace.reference_answer:
        return item
    try:
        made = replace(trace, meta=meta, reference_answer=reference)
    except InvalidTrace as fault:
        return fault
    return replace(item, trace=made) if isinstance(item, ScoredTrace) else made


# --- names and JSON text -------------------------------------------------------------------------------------------


def _prepared(row: dict[str, Any], plan: _Plan) -> dict[str, Any]:
    if plan.names:
        usual = {name: new for new, name in plan.names.items()}
        row = {usual.get(name, name): value for name, value in row.items()}
    for name in plan.structured:
        value = row.get(name)
        # the first character tells it of most texts, which are long
        if (
            isinstance(value, str)
            and value[:1] in _LIST_BEGINS
            and (found := structured(value))
            and _is_meant(name, found)
        ):
            row = {**row, name: found}
    for name in plan.chats:
        value = row.get(name)
        found = structured(value) if isinstance(value, str) else value
        if _is_chat(found):
            row = {"messages" if key == name else key: inner for key, inner in row.items()} | {"messages": found}
            break
    return row


def structured(text: str) -> list[Any] | None:
    """The list that a text holds as JSON, or as Python writes it; None where it holds none."""
    start = text.lstrip()
    if not start.startswith("[") or not text.rstrip().endswith("]"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _literal(text)
    return value if isinstance(value, list) else None


def _literal(text: str) -> Any:
    value = python_value(text)
    try:
        orjson.dumps(value)
    except TypeError:
        return None
    return value


def _is_meant(name: str, found: list[Any]) -> bool:
    """Whether the list is what this column holds in a format; a prompt of text may well begin with `[`."""
    if name in ("prompt", "completion", "chosen", "rejected", "messages", "conversations"):
        return _is_chat(found)
    return bool(found) and all(isinstance(item, str | int | float | bool | dict) for item in found)


def _is_chat(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(item, dict) and not {"role", "from"}.isdisjoint(item) for item in value)
    )


def _exact(row: dict[str, Any], plan: _Plan, form: Form) -> Arranged | None:
    """For formats that name every key: other spellings, and lists that are written as text."""
    if form.NAME != "mapping":
        found = _prepared(row, plan)
        return None if found is row else Arranged(found, plan.names)
    made = row
    for name in form.columns(row):
        head = name.split(".")[0].split("[")[0]
        value = row.get(head)
        if head != name and name not in row and isinstance(value, str) and (listed := structured(value)) is not None:
            made = {**made, head: listed}
    return None if made is row else Arranged(made)


def _metadata(row: Mapping[str, Any]) -> Any:
    found = row.get("metadata")
    return found if isinstance(found, str | dict) else ()


# --- the prompt ----------------------------------------------------------------------------------------------------


def _with_prompt(found: Arranged, plan: _Plan, form: Form) -> Arranged:
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


# --- the reference -------------------------------------------------------------------------------------------------


def _with_reference(found: Arranged, plan: _Plan, form: Form) -> Arranged:
    fields = form.columns(found.row)
    if "reference_answer" in {part for field in fields.values() for part in field.split(", ")}:
        return found
    for name in plan.references:
        value = found.row.get(name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool | int | float):
            value = str(value)  # for the names of the columns; its text in the file takes its place before it is read
        if name not in fields and isinstance(value, str) and value.strip():
            return found._replace(reference=value, used={**found.used, name: "reference_answer"})
    return found
