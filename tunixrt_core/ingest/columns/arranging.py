"""Rows with unusual columns, arranged so that a format can read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.plans import Arranged, Form, Plan, plan_of
from tunixrt_core.ingest.columns.prompts import with_prompt
from tunixrt_core.ingest.columns.structure import exact, with_usual_names
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

PROMPT_FROM = "prompt_from"  # in `meta`: where each column begins in a prompt that was put together
_MAX_PLANS = 1_000
# formats that say of every key what it is, so that nothing is to be found out
_EXACT = frozenset(
    {"trace", "tunix_sft", "atif", "prm800k", "mapping", "inspect", "otel", "langfuse", "verifiers", "harmony"}
    | {"chatgpt", "oasst", "ultrafeedback", "nectar", "toolace", "bfcl"}
)
# formats that find their reference themselves
_OWN_REFERENCE = frozenset({"gsm8k", "grpo", "question_answer", "s1k", "openthoughts", "openmathreasoning"})

Item = Trace | ScoredTrace | InvalidTrace


class Arranger:
    """Arranges the rows of one file, with a plan for each set of keys that was seen once."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, ...], Plan | None] = {}

    def prepared(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its usual names and without JSON text: what the format is found by."""
        plan = self._plan(row)
        return row if plan is None else with_usual_names(row, plan)

    def arranged(self, row: dict[str, Any], form: Form) -> Arranged | None:
        """The row for this format; None where it is read unchanged. Raises InvalidTrace."""
        plan = self._plan(row)
        if plan is None or (form.NAME in _OWN_REFERENCE and plan.of_references):
            return None
        if form.NAME in _EXACT:
            return exact(row, plan, form)
        prepared = with_usual_names(row, plan)
        if prepared is row and not (plan.contexts or plan.choices or plan.references):
            return None
        found = Arranged(prepared, plan.names)
        if "trace_id" in _metadata(found.row):  # an export of ours, which says all itself
            return None if found.row is row else found
        if plan.contexts or plan.choices:
            found = with_prompt(found, plan, form)
        if plan.references and form.NAME not in _OWN_REFERENCE:
            found = _with_reference(found, plan, form)
        return None if found.row is row and found.reference is None else found

    def read_as(self, row: dict[str, Any], form: Form) -> dict[str, Any]:
        """The row as it is given to this format. Raises InvalidTrace."""
        arranged = self.arranged(row, form)
        return row if arranged is None else arranged.row

    def _plan(self, row: Mapping[str, Any]) -> Plan | None:
        keys = tuple(row)
        try:
            return self._plans[keys]
        except KeyError:
            plan = plan_of(keys)
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


def _metadata(row: Mapping[str, Any]) -> Any:
    found = row.get("metadata")
    return found if isinstance(found, str | dict) else ()


def _with_reference(found: Arranged, plan: Plan, form: Form) -> Arranged:
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
