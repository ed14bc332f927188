"""Format `openr1_math`: several generations per problem, flags as scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    at,
    flag,
    reference,
    rest,
    scored,
    source_of,
    split_trace,
    text,
)
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.util.kinds import kind_of, not_text

NAME = "openr1_math"

_FLAGS = {
    "correctness_math_verify": ("correct", "math_verify"),
    "correctness_llama": ("correct", "llama"),
    "is_reasoning_complete": ("reasoning_complete", "open-r1"),
}
_FIELDS = {
    "problem": "prompt",
    "generations": "steps, final_answer",
    "answer": "reference_answer",
    "source": "source",
    "finish_reasons": "meta",
} | dict.fromkeys(_FLAGS, "score")


def matches(row: Mapping[str, Any]) -> bool:
    return "problem" in row and isinstance(row.get("generations"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """One trace a generation. One that is cut off is a fault of its own and does not stop the others."""
    generations = row.get("generations")
    if not isinstance(generations, list) or not generations:
        raise InvalidTrace(
            "generations",
            f"must be a list of at least one text, not {kind_of(generations)}. Write each generation as one text",
        )
    problem = text(row, "problem")
    meta = rest(row, _FIELDS)
    if _tells_it_again(meta.get("messages"), problem, generations):
        meta["messages_of"] = generations.index(meta.pop("messages")[1]["content"])
    return [_item(row, i, problem, dict(meta), options) for i in range(len(generations))]


def _item(row: Mapping[str, Any], i: int, problem: str, meta: dict[str, Any], options: Options) -> Item:
    name = f"generations[{i}]"
    try:
        generation = row["generations"][i]
        if not isinstance(generation, str):
            raise InvalidTrace(name, not_text(generation))
        reason = at(row.get("finish_reasons"), i)
        trace = split_trace(
            split_completion(generation, name, options.rule),
            prompt=problem,
            meta=meta,
            names={"prompt": "problem", "steps": name, "final_answer": name, "reference_answer": "answer"},
            extra={"generation": i} | ({"finish_reason": reason} if reason is not None else {}),
            reference_answer=reference(row.get("answer"), "answer"),
            source=source_of(row, options, NAME),
        )
        return scored(trace, _scores(row, i))
    except InvalidTrace as fault:
        return fault


def _scores(row: Mapping[str, Any], i: int) -> Iterator[GivenScore]:
    for column, (name, scorer) in _FLAGS.items():
        yield from flag(name, at(row.get(column), i), scorer=scorer)


def _tells_it_again(messages: Any, problem: str, generations: list[Any]) -> bool:
    """Whether `messages` is the problem and one of the generations once more, and nothing else."""
    match messages:
        case [{"role": "user", "content": asked, **more}, {"role": "assistant", "content": told, **most}]:
            return asked == problem and told in generations and not more and not most
    return False
