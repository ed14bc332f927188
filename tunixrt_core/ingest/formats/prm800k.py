"""Format `prm800k`: step ratings by people, chosen completions as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    extended,
    filled,
    named_as,
    reference,
    rest,
    scored,
    source_of,
)
from tunixrt_core.ingest.formats.stepwise import last_answer
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace, parse_steps
from tunixrt_core.util.kinds import kind_of

NAME = "prm800k"

_FIELDS = {"question": "prompt, reference_answer", "label": "steps, step score", "source": "source"}
_ANSWERS = {
    "question.ground_truth_answer": "reference_answer",
    "question.pre_generated_answer": "final_answer",
}
_QUESTION = ("problem", "ground_truth_answer", "pre_generated_answer")


class _Chosen(NamedTuple):
    """The text of a step, its rating, and what else was written at its place, for `meta`."""

    text: str
    rating: float | None
    rest: dict[str, Any]


def matches(row: Mapping[str, Any]) -> bool:
    label, question = row.get("label"), row.get("question")
    return isinstance(label, dict) and "steps" in label and isinstance(question, dict) and "problem" in question


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS | _ANSWERS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Ratings of -1, 0 and 1 become step scores of people. Completions that were not chosen stay in `meta.label`."""
    question, label = row.get("question"), row.get("label")
    found = label.get("steps") if isinstance(label, dict) else None
    if not isinstance(question, dict) or not isinstance(label, dict) or not isinstance(found, list):
        raise InvalidTrace(
            "label.steps", f"must be a list of steps, not {kind_of(found)}. Write the row as PRM800K has it"
        )
    chosen = [_chosen(step, f"label.steps[{i}]") for i, step in enumerate(label["steps"])]
    kept = {
        "question": rest(question, _QUESTION),
        "label": rest(label, ("steps",)) | {"steps": [step.rest for step in chosen]},
    }
    contents = [step.text for step in chosen]
    names = {"prompt": "question.problem", "steps": "label.steps", "reference_answer": "question.ground_truth_answer"}
    with named_as(names | {"final_answer": "question.pre_generated_answer"}):
        trace = Trace(
            prompt=question.get("problem"),  # type: ignore[arg-type]  # the trace checks it and names it
            steps=parse_steps(contents),
            final_answer=_answer(question, contents),
            reference_answer=reference(question.get("ground_truth_answer"), "question.ground_truth_answer"),
            meta=extended(rest(row, _FIELDS), kept),
            source=source_of(row, options, NAME),
        )
    return [scored(trace, _ratings(chosen))]


def _answer(question: Mapping[str, Any], contents: Sequence[str]) -> str:
    if given := filled(question.get("pre_generated_answer")):
        return given
    answer, certain = last_answer(contents) if contents else ("", False)
    if not certain:
        raise InvalidTrace(
            "question.pre_generated_answer", "is missing, and the last step does not give an answer. Add it"
        )
    return answer


def _chosen(step: Any, field: str) -> _Chosen:
    """What was chosen at a step; else what a person wrote; else the first, which was found wrong there."""
    if not isinstance(step, dict):
        raise InvalidTrace(field, f"must be an object with `completions`, not {kind_of(step)}. Write it as one")
    completions, index = step.get("completions") or [], step.get("chosen_completion")
    human = step.get("human_completion")
    if index is None and human is not None:
        human = human if isinstance(human, dict) else {"text": human}
        return _made(human, step | {"human_completion": None}, None, field)
    index = 0 if index is None else index
    if not isinstance(completions, list) or not isinstance(index, int) or not 0 <= index < len(completions):
        raise InvalidTrace(f"{field}.completions", f"does not hold the chosen completion, {index}. Count from 0")
    return _made(completions[index], step, index, field)


def _made(found: Any, step: Mapping[str, Any], index: int | None, field: str) -> _Chosen:
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise InvalidTrace(field, "has a completion without `text`. Give it one")
    rating = found.get("rating")
    others = rest(step, ("completions",))
    completions = step.get("completions") or []
    # the chosen one keeps its place, without the text that the step holds already
    others["completions"] = [rest(c, ("text",)) if i == index else c for i, c in enumerate(completions)]
    if index is None:
        others["human_completion"] = rest(found, ("text",))
    return _Chosen(text, float(rating) if isinstance(rating, int | float) else None, others)


def _ratings(chosen: Sequence[_Chosen]) -> list[GivenScore]:
    return [
        GivenScore(name="rating", value=step.rating, step=i, scorer=NAME, version="given", kind="human")
        for i, step in enumerate(chosen)
        if step.rating is not None
    ]
