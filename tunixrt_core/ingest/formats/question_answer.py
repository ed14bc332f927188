"""Format `question_answer`: question and answer under usual names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.names import (
    ANSWERS,
    COMPLETIONS,
    QUESTIONS,
)
from tunixrt_core.ingest.columns.roles import Roles, roles_of
from tunixrt_core.ingest.formats.chats import system_columns, system_of, tool_columns
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    extended,
    filled,
    named_as,
    only,
    rest,
    source_of,
    split_trace,
    text,
)
from tunixrt_core.ingest.formats.pair_columns import history_turns
from tunixrt_core.ingest.reasoning.calls import calls_in, read_tools
from tunixrt_core.ingest.reasoning.exchange import message_of
from tunixrt_core.ingest.reasoning.split import Split, split_completion, split_fields, split_reasoning
from tunixrt_core.ingest.reasoning.steps import Rule
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Conversation, Tool, calls_text
from tunixrt_core.traces.trace import Trace, parse_steps
from tunixrt_core.util.kinds import not_text

NAME = "question_answer"

_OPTIONAL = ("system", "reference_answer", "source", "model")
_WRITERS = ("model", "response_model", "generation_model", "generator")  # in the object of a completion


def matches(row: Mapping[str, Any]) -> bool:
    roles = roles_of(row)
    return roles.question is not None and (roles.answer is not None or roles.completions != ())


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    roles = roles_of(row)
    found = {name: name for name in _OPTIONAL} | system_columns(row)
    if _is_history(row.get("history")):
        found["history"] = "messages"
    if (tools := _tools(row)) is not None:
        found[tools[0]] = "tools"
        if calls_in(row.get(roles.answer or ""), tools[1]):
            return found | {str(roles.question): "prompt", str(roles.answer): "calls, final_answer"}
    if roles.question is not None:
        found[roles.question] = "prompt"
    if roles.answer is not None:
        found[roles.answer] = "final_answer" if roles.reasoning else "steps, final_answer"
    if roles.reference is not None and roles.reference == roles.answer:
        found[roles.reference] += ", reference_answer"
    elif roles.reference is not None:
        found[roles.reference] = "reference_answer"
    if roles.reasoning is not None:
        found[roles.reasoning] = "steps"
    for name in roles.completions:
        found[name] = "steps, final_answer"
    return found


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The first name of each kind that the row has is used; what else it holds is kept in `meta`.

    A trace for each completion, where there are several; one that cannot be read does not stop the others.
    """
    roles = roles_of(row)
    if roles.question is None or (roles.answer is None and not roles.completions):
        missing, others = ("question", QUESTIONS) if roles.question is None else ("answer", ANSWERS)
        raise InvalidTrace(
            missing, f"is missing; it may also be called {', '.join(others[:5])}. Rename a column, or map it by hand."
        )
    optional = {name: row[name] for name in _OPTIONAL if row.get(name) is not None}
    optional["source"] = options.source if roles.question == "source" else source_of(row, options)
    if roles.reference is not None:
        optional["reference_answer"] = only(row[roles.reference], roles.reference)
    system, told = (None, ()) if "system" in optional else system_of(row, ())
    if system is not None:
        optional["system"] = system
    if "history" in row and _is_history(row["history"]):
        optional["conversation"] = Conversation(tuple(map(message_of, history_turns(row))))
        told = (*told, "history")
    used = {name for name in (*roles, *roles.completions, *_OPTIONAL, *told) if isinstance(name, str)}
    meta = rest(row, used)
    tools = _tools(row)
    if tools is not None:
        del meta[tools[0]]
        if calls := calls_in(row.get(roles.answer or ""), tools[1]):
            return [_called(row, roles, calls, tools[1], options.rule, meta=meta, **optional)]
        before = optional.get("conversation", NO_CONVERSATION)
        optional["conversation"] = msgspec.structs.replace(before, tools=tools[1])
    if roles.completions:
        return list(_completed(row, roles, options.rule, meta, optional))
    answer = str(roles.answer)
    names = {"prompt": roles.question, "steps": roles.reasoning or answer, "final_answer": answer}
    return [answered(row, roles.question, answer, roles.reasoning, options.rule, meta=meta, names=names, **optional)]


def _tools(row: Mapping[str, Any]) -> tuple[str, tuple[Tool, ...]] | None:
    """The column that defines tools, and the definitions; None where there is none."""
    column = next(iter(tool_columns(row)), None)
    return None if column is None else (column, read_tools(row[column]) or ())


def _called(
    row: Mapping[str, Any],
    roles: Roles,
    calls: tuple[Call, ...],
    tools: tuple[Tool, ...],
    rule: Rule,
    *,
    meta: dict[str, Any],
    conversation: Conversation = NO_CONVERSATION,
    **optional: Any,
) -> Trace:
    """The trace of a row whose answer is calls, as xLAM has it. They are those of the final turn."""
    question, answer = str(roles.question), str(roles.answer)
    thought = filled(row.get(roles.reasoning or "")) or ""
    talk = msgspec.structs.replace(conversation, tools=tools, calls=calls)
    names = {"prompt": question, "steps": roles.reasoning or answer, "final_answer": answer, "calls": answer}
    split = split_reasoning(thought, calls_text(calls), rule)
    return split_trace(split, prompt=text(row, question), meta=meta, names=names, conversation=talk, **optional)


def _is_history(value: Any) -> bool:
    """Whether it is pairs of an earlier question and its answer; a column of that name may hold anything."""
    pairs = value if isinstance(value, list) else ()
    return bool(pairs) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in pairs
    )


def _completed(
    row: Mapping[str, Any], roles: Roles, rule: Rule, meta: dict[str, Any], optional: Mapping[str, Any]
) -> Iterator[Item]:
    """A trace for each text that a model wrote, beside a reference."""
    written = [(name, i, value) for name in roles.completions for i, value in enumerate(_several(row[name]))]
    for name, i, value in written:
        place = name if len(_several(row[name])) == 1 else f"{name}[{i}]"
        told, by, extra = _alone(value)
        named = {"model": by, **optional} if by else optional
        if len(written) > 1:
            extra = {**extra, "generation": place}
        try:
            if not isinstance(told, str):
                raise InvalidTrace(place, not_text(told))
            yield _written(row, roles, rule, told, place, meta=dict(meta), extra=extra, **named)
        except InvalidTrace as fault:
            yield fault


def _written(
    row: Mapping[str, Any],
    roles: Roles,
    rule: Rule,
    told: str,
    place: str,
    *,
    meta: dict[str, Any],
    extra: Mapping[str, Any],
    **optional: Any,
) -> Trace:
    question = str(roles.question)
    names = {"prompt": question, "steps": roles.reasoning or place, "final_answer": place}
    prompt = text(row, question)
    if isinstance(listed := row.get(roles.reasoning or ""), list):
        with named_as(names):
            return Trace(prompt, parse_steps(listed), told, meta=extended(meta, extra), **optional)
    if roles.reasoning is not None:
        split = split_fields(text(row, roles.reasoning), told, rule)
    else:
        split = split_completion(told, place, rule)
    return split_trace(split, prompt=prompt, meta=meta, names=names, extra=extra, **optional)


def _alone(value: Any) -> tuple[Any, str | None, Mapping[str, Any]]:
    """What a model wrote, which model, and what else is said; of an object, as some lists of responses hold them."""
    if not isinstance(value, Mapping):
        return value, None, {}
    written = [name for name in (*COMPLETIONS, "text", "content") if filled(value.get(name))]
    if len(written) != 1:
        return value, None, {}
    by = next((name for name in _WRITERS if filled(value.get(name))), None)
    extra = {name: said for name, said in value.items() if name not in (written[0], by)}
    return value[written[0]], value[by] if by else None, extra


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def answered(
    row: Mapping[str, Any],
    question: str,
    answer: str,
    reasoning: str | None,
    rule: Rule,
    *,
    meta: dict[str, Any],
    names: Mapping[str, str],
    **optional: Any,
) -> Trace:
    """The trace of a row by the names of its columns. Reasoning may be a list of steps or text to be divided."""
    prompt = text(row, question)
    if reasoning is not None and isinstance(row[reasoning], list):
        with named_as(names):
            steps = parse_steps(row[reasoning])
            return Trace(prompt=prompt, steps=steps, final_answer=_answer(row, answer), meta=meta, **optional)
    split = _split(row, answer, reasoning, rule)
    return split_trace(split, prompt=prompt, meta=meta, names=names, **optional)


def _split(row: Mapping[str, Any], answer: str, reasoning: str | None, rule: Rule) -> Split:
    if reasoning is None:
        return split_completion(_answer(row, answer), answer, rule)
    return split_reasoning(text(row, reasoning), _answer(row, answer), rule)


def _answer(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return text(row, name)
    if (found := only(row[name], name)) is None:
        raise InvalidTrace(name, "is empty. Fill in the answer, or remove the row.")
    return found
