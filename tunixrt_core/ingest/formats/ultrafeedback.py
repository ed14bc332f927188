"""Format `ultrafeedback`: rated `completions`, the best and the worst as a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, rest, text
from tunixrt_core.ingest.formats.ranked import Rated, pair_of
from tunixrt_core.util.kinds import kind_of

NAME = "ultrafeedback"

Measure = Callable[[Mapping[str, Any]], float | None]

_FIELDS = {
    "instruction": "prompt",
    "completions": "steps, final_answer, score, model",
    "source": "source",
}


def matches(row: Mapping[str, Any]) -> bool:
    found = row.get("completions")
    if "instruction" not in row or not isinstance(found, list):
        return False
    return any(isinstance(one, Mapping) and "response" in one for one in found)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The first measure that two completions have decides. All ratings stay in `meta`, and the other completions whole
    beside the best one.
    """
    text(row, "instruction")
    completions = row["completions"] if isinstance(row.get("completions"), list) else []
    for i, one in enumerate(completions):
        if not isinstance(one, Mapping) or not isinstance(one.get("response"), str):
            raise InvalidTrace(f"completions[{i}]", f"must be an object with text as `response`, not {kind_of(one)}")
    name, ratings = next(
        ((name, found) for name, measure in _MEASURES.items() if len(found := _by(measure, completions)) > 1), ("", {})
    )
    answers = [_rated(i, completions, name, rating) for i, rating in ratings.items()]
    if answers:
        best = max(range(len(answers)), key=lambda n: answers[n].rating)
        answers[best] = _with_others(answers[best], completions)
    return pair_of(rest(row, ("completions",)), answers, "completions", options)


def _by(measure: Measure, completions: list[Mapping[str, Any]]) -> dict[int, float]:
    """The place of each completion that has the measure, and its rating."""
    return {i: rating for i, one in enumerate(completions) if (rating := measure(one)) is not None}


def _rated(i: int, completions: list[Mapping[str, Any]], measure: str, rating: float) -> Rated:
    one = completions[i]
    model = one.get("model")
    about = {"rated_by": measure, "rating": rating, "completion": rest(one, ("response", "model"))}
    named = model if isinstance(model, str) and model.strip() else None
    return Rated(one["response"], rating, f"completions[{i}].response", named, {NAME: about})


def _with_others(best: Rated, completions: list[Mapping[str, Any]]) -> Rated:
    others = [dict(one) for i, one in enumerate(completions) if f"completions[{i}].response" != best.field]
    return best._replace(about={NAME: {**best.about[NAME], "others": others}})


def _mean_rating(completion: Mapping[str, Any]) -> float | None:
    """The mean over the aspects that were rated, such as helpfulness and honesty."""
    annotations = completion.get("annotations")
    held = annotations.values() if isinstance(annotations, Mapping) else ()
    ratings = [_number(one.get("Rating")) for one in held if isinstance(one, Mapping)]
    found = [rating for rating in ratings if rating is not None]
    return fmean(found) if found else None


def _number(value: Any) -> float | None:
    """Of a number, also as text: ratings are `"4"` or `"N/A"`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


# `overall_score` comes last: for some rows of the data it is the one of the opposite, 10 in place of 1
_MEASURES: Mapping[str, Measure] = {
    "fine-grained_score": lambda one: _number(one.get("fine-grained_score")),
    "mean rating": _mean_rating,
    "overall_score": lambda one: _number(one.get("overall_score")),
}
