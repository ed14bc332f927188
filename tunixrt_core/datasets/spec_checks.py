"""What a dataset spec may say, field by field, and which fields go together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tunixrt_core.datasets import choices
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.quality.gates import normal_gates

if TYPE_CHECKING:
    from tunixrt_core.datasets.spec import DatasetSpec

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_NEED_LIMIT = {"latest", "random", "stratified", "top"}
_TAKE_LIMIT = {*_NEED_LIMIT, "best", "shortest"}
_NEED_BY = {"stratified", "top", "best"}
_TAKE_BY = {*_NEED_BY, "budget"}


def normalised(spec: DatasetSpec) -> dict[str, Any]:
    """Fields that may be written in several ways, in the one way that is kept and hashed."""
    tags = spec.tags
    if isinstance(tags, str) or not isinstance(tags, Iterable) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidDataset("tags: must be a list of words.")
    return {
        "tags": tuple(sorted(set(tags))),
        "gates": normal_gates(spec.gates),
        "after": _moment("after", spec.after),
        "before": _moment("before", spec.before),
    }


def check(spec: DatasetSpec) -> None:
    """Raise InvalidDataset for the first field that cannot be used."""
    if not isinstance(spec.name, str) or not _NAME.fullmatch(spec.name):
        raise InvalidDataset(
            f"name: {spec.name!r} cannot be used. Take lower-case letters, digits, `.`, `_` and `-`, "
            "beginning with a letter or digit, at most 80."
        )
    _check_texts(spec)
    _check_words(spec)
    _check_numbers(spec)
    _check_ranges(spec)
    _check_selection(spec)


def _check_texts(spec: DatasetSpec) -> None:
    for name in ("source", "model", "text", "score", "by"):
        value = getattr(spec, name)
        if not isinstance(value, str) and not (value is None and name != "text"):
            raise InvalidDataset(f"{name}: must be text.")
    if spec.correct is not None and not isinstance(spec.correct, bool):
        raise InvalidDataset("correct: must be true, false, or left out.")


def _check_words(spec: DatasetSpec) -> None:
    known: dict[str, tuple[str, ...]] = {
        "selection": choices.SELECTIONS,
        "dedupe": choices.DEDUPES,
        "allocation": choices.ALLOCATIONS,
        "split_by": choices.SPLITS_BY,
        "tokens": choices.TOKEN_COUNTS,
    }
    for name, words in known.items():
        if (value := getattr(spec, name)) not in words:
            raise InvalidDataset(f"{name}: {value!r} is not one of {', '.join(words)}.")


def _check_numbers(spec: DatasetSpec) -> None:
    if not _is_whole(spec.seed) or not 0 <= spec.seed < 2**63:
        raise InvalidDataset(f"seed: {spec.seed!r} is not a whole number from 0 to 2**63 - 1.")
    share = spec.eval_share
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise InvalidDataset(f"eval_share: {share!r} is not a number from 0 to below 1.")
    for name, least in (("limit", 1), ("budget", 1)):
        value = getattr(spec, name)
        if value is not None and (not _is_whole(value) or not least <= value < 2**63):
            raise InvalidDataset(f"{name}: {value!r} is not a whole number of at least {least}.")


def _check_ranges(spec: DatasetSpec) -> None:
    for what in ("steps", "length"):
        low, high = getattr(spec, f"min_{what}"), getattr(spec, f"max_{what}")
        for name, value in ((f"min_{what}", low), (f"max_{what}", high)):
            if value is not None and (not _is_whole(value) or not 0 <= value < 2**63):
                raise InvalidDataset(f"{name}: {value!r} is not a whole number of at least 0.")
        _in_order(what, low, high)
    for name, score in (("min_score", spec.min_score), ("max_score", spec.max_score)):
        if score is not None and (
            isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score)
        ):
            raise InvalidDataset(f"{name}: {score!r} is not a number.")
        if score is not None and spec.score is None:
            raise InvalidDataset(f"{name}: goes with score, the name of the score.")
    _in_order("score", spec.min_score, spec.max_score)
    if spec.after and spec.before and spec.after > spec.before:
        raise InvalidDataset("after: is later than before, so no trace can match.")


def _in_order(what: str, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise InvalidDataset(f"min_{what}: is more than max_{what}, so no trace can match.")


def _check_selection(spec: DatasetSpec) -> None:
    chosen = spec.selection
    if (spec.limit is None and chosen in _NEED_LIMIT) or (spec.limit is not None and chosen not in _TAKE_LIMIT):
        raise InvalidDataset(
            f"limit: goes with selection {', '.join(sorted(_NEED_LIMIT))}, which need one, and may stand with best "
            "and shortest; with all and budget leave it out."
        )
    if spec.by is None and chosen in _NEED_BY:
        raise InvalidDataset(f"by: selection {chosen} needs it: {_what_by(chosen)}.")
    if spec.by is not None and chosen not in _TAKE_BY:
        raise InvalidDataset(f"by: goes with selection {', '.join(sorted(_TAKE_BY))}; with {chosen} leave it out.")
    if chosen == "stratified" and spec.by not in ("source", "model") and not str(spec.by).startswith("meta."):
        raise InvalidDataset(f"by: {spec.by!r} is not source, model or meta.KEY.")
    if (spec.budget is None) == (chosen == "budget"):
        raise InvalidDataset("budget: goes with selection budget, which needs one; otherwise leave it out.")


def _what_by(selection: str) -> str:
    return "source, model or meta.KEY" if selection == "stratified" else "the name of a score"


def _moment(name: str, value: object) -> str | None:
    """ISO 8601 in UTC; a date alone is its first moment. YAML reads dates by itself."""
    if value is None:
        return None
    if isinstance(value, date):
        value = value.isoformat()
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None:
        raise InvalidDataset(f"{name}: {value!r} is not a date such as 2026-11-24 or 2026-11-24T12:00:00+00:00.")
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC).isoformat()


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
