"""Format `question_answer`: a question and an answer under one of the usual names, with or without reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.fields import named_as, text
from tunixrt_core.ingest.split import split_completion, split_steps
from tunixrt_core.traces import Step, Trace, parse_steps

NAME = "question_answer"

QUESTIONS = ("question", "problem", "instruction", "query", "prompt")
ANSWERS = ("final_answer", "answer", "response", "output", "solution")
REASONINGS = ("reasoning", "rationale", "thinking", "reasoning_content", "chain_of_thought", "cot", "steps", "solution")
_OPTIONAL = ("system", "reference_answer", "source", "model")


def matches(row: dict[str, Any]) -> bool:
    return _first(row, QUESTIONS) is not None and _first(row, ANSWERS) is not None


def to_trace(row: dict[str, Any], source: str | None) -> Trace:
    """The first name of each kind that the row has is used; what else it holds is kept in `meta`."""
    question, answer = _first(row, QUESTIONS), _first(row, ANSWERS)
    if question is None or answer is None:
        missing, names = ("question", QUESTIONS) if question is None else ("answer", ANSWERS)
        raise InvalidTrace(missing, f"is missing; it may also be called {', '.join(names)}")
    reasoning = _first(row, [name for name in REASONINGS if name != answer])
    used = {question, answer, reasoning, *_OPTIONAL}
    prompt = text(row, question)
    steps, final_answer = _split(row, answer, reasoning)
    optional = {name: row[name] for name in _OPTIONAL if row.get(name) is not None}
    with named_as({"prompt": question, "steps": reasoning or answer, "final_answer": answer}):
        return Trace(
            prompt=prompt,
            steps=steps,
            final_answer=final_answer,
            meta={key: value for key, value in row.items() if key not in used},
            **({"source": source} | optional),
        )


def _split(row: Mapping[str, Any], answer: str, reasoning: str | None) -> tuple[tuple[Step, ...], str]:
    if reasoning is None:
        parts = split_completion(text(row, answer), answer)
        return _numbered(parts.steps), parts.final_answer
    if isinstance(row[reasoning], list):
        with named_as({"steps": reasoning}):
            return parse_steps(row[reasoning]), text(row, answer).strip()
    return _numbered(split_steps(text(row, reasoning))), text(row, answer).strip()


def _numbered(contents: Sequence[str]) -> tuple[Step, ...]:
    return tuple(Step(i, content) for i, content in enumerate(contents))


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if row.get(name) is not None), None)
