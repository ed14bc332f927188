"""Format `question_answer`: a question and an answer under one of the usual names, with or without reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, named_as, rest, source_of, split_trace, text
from tunixrt_core.ingest.reasoning.split import Split, split_completion, split_reasoning
from tunixrt_core.ingest.reasoning.steps import Rule
from tunixrt_core.traces.trace import Trace, parse_steps

NAME = "question_answer"

QUESTIONS = ("question", "problem", "instruction", "query", "prompt")
ANSWERS = ("final_answer", "answer", "response", "output", "solution")
REASONINGS = ("reasoning", "rationale", "thinking", "reasoning_content", "chain_of_thought", "cot", "steps", "solution")
_OPTIONAL = ("system", "reference_answer", "source", "model")


def matches(row: Mapping[str, Any]) -> bool:
    return _first(row, QUESTIONS) is not None and _first(row, ANSWERS) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    question, answer, reasoning = _columns(row)
    found = {name: name for name in _OPTIONAL}
    if question is not None:
        found[question] = "prompt"
    if answer is not None:
        found[answer] = "final_answer" if reasoning else "steps, final_answer"
    if reasoning is not None:
        found[reasoning] = "steps"
    return found


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The first name of each kind that the row has is used; what else it holds is kept in `meta`."""
    question, answer, reasoning = _columns(row)
    if question is None or answer is None:
        missing, others = ("question", QUESTIONS) if question is None else ("answer", ANSWERS)
        raise InvalidTrace(missing, f"is missing; it may also be called {', '.join(others)}")
    optional = {name: row[name] for name in _OPTIONAL if row.get(name) is not None}
    optional["source"] = source_of(row, options)
    names = {"prompt": question, "steps": reasoning or answer, "final_answer": answer}
    meta = rest(row, {question, answer, reasoning or answer, *_OPTIONAL})
    return [answered(row, question, answer, reasoning, options.rule, meta=meta, names=names, **optional)]


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
            return Trace(prompt=prompt, steps=steps, final_answer=text(row, answer), meta=meta, **optional)
    split = _split(row, answer, reasoning, rule)
    return split_trace(split, prompt=prompt, meta=meta, names=names, **optional)


def _split(row: Mapping[str, Any], answer: str, reasoning: str | None, rule: Rule) -> Split:
    if reasoning is None:
        return split_completion(text(row, answer), answer, rule)
    return split_reasoning(text(row, reasoning), text(row, answer), rule)


def _columns(row: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """The columns of question, answer and reasoning."""
    question, answer = _first(row, QUESTIONS), _first(row, ANSWERS)
    return question, answer, _first(row, [name for name in REASONINGS if name not in (answer, question)])


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if row.get(name) is not None), None)
