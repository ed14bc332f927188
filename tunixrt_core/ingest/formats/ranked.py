"""Best and worst of several rated answers to one prompt, as a preference pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats import preference
from tunixrt_core.ingest.formats.fields import Item, Options, extended, named_as
from tunixrt_core.traces.scores import ScoredTrace


class Rated(NamedTuple):
    """One answer. `rating`: higher is better. `field` is its place in the row, `about` what `meta` keeps of it."""

    text: str
    rating: float
    field: str
    model: str | None
    about: Mapping[str, Any]


def pair_of(row: Mapping[str, Any], answers: Sequence[Rated], column: str, options: Options) -> list[Item]:
    """The first of the best and the first of the worst as the sides of a pair. `row` holds the prompt, and what `meta`
    keeps of both. Raises InvalidTrace, at the column of the answers, where none is better than another.
    """
    if len(answers) < 2:
        raise InvalidTrace(column, f"holds {len(answers)} rated answers, and a pair takes two. Leave the row out")
    best, worst = max(answers, key=_rating), min(answers, key=_rating)
    if best.rating == worst.rating:
        raise InvalidTrace(column, "rates all answers alike, so none is preferred. Leave the row out")
    if best.text == worst.text:
        raise InvalidTrace(worst.field, f"is the same as {best.field}, so neither is preferred. Leave the row out")
    sides = {"chosen": best, "rejected": worst}
    with named_as({name: side.field for name, side in sides.items()}):
        items = preference.read({**row, **{name: side.text for name, side in sides.items()}}, options)
    return [_named(item, name, side) for item, (name, side) in zip(items, sides.items(), strict=True)]


def _rating(answer: Rated) -> float:
    return answer.rating


def _named(item: Item, name: str, side: Rated) -> Item:
    """The side with its own model and ratings, or its fault at its place in the row."""
    if isinstance(item, InvalidTrace):
        return InvalidTrace(side.field, item.reason) if item.field.startswith(name) else item
    trace = item.trace if isinstance(item, ScoredTrace) else item
    try:
        made = replace(trace, model=side.model, meta=extended(dict(trace.meta), side.about))
    except InvalidTrace as fault:
        return fault
    return replace(item, trace=made) if isinstance(item, ScoredTrace) else made
