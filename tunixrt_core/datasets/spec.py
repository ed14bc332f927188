"""The dataset spec: filters, selection, split and gates."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from tunixrt_core.datasets.gates.registry import normal_gates
from tunixrt_core.errors import InvalidDataset

Selection = Literal["all", "latest", "random", "stratified", "top", "best", "shortest", "budget"]
Dedupe = Literal["none", "prompt"]
Allocation = Literal["proportional", "equal"]
SplitBy = Literal["prompt", "near_duplicate"]
TokenCount = Literal["bytes", "words"]
Negatives = Literal["exclude", "include"]

SELECTIONS: tuple[Selection, ...] = get_args(Selection)
DEDUPES: tuple[Dedupe, ...] = get_args(Dedupe)
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
SPLITS_BY: tuple[SplitBy, ...] = get_args(SplitBy)
TOKEN_COUNTS: tuple[TokenCount, ...] = get_args(TokenCount)
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)

# What every version before these fields came has in its hash; all later fields only where they are set.
FIRST_FIELDS = frozenset({"source", "model", "text", "selection", "limit", "seed", "eval_share", "dedupe"})
FILTERS = (
    "source",
    "model",
    "text",
    "tags",
    "correct",
    "score",
    "min_score",
    "max_score",
    "min_steps",
    "max_steps",
    "min_length",
    "max_length",
    "after",
    "before",
)


_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_NEED_LIMIT = {"latest", "random", "stratified", "top"}
_TAKE_LIMIT = {*_NEED_LIMIT, "best", "shortest"}
_NEED_BY = {"stratified", "top", "best"}
_TAKE_BY = {*_NEED_BY, "budget"}


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """How a dataset is made. Raises InvalidDataset, which names the field.

    Filters: `source`, `model`, `text` (words), `tags` (all of them), `correct`, a named `score` from `min_score` to
    `max_score`, `min_steps` to `max_steps`, `min_length` to `max_length` (bytes of the trace's canonical JSON), and
    the time of storing from `after` to `before` (ISO 8601). Negative examples, which their file or a person calls
    wrong, unwanted or rejected, match where `negatives` says `include`.

    `selection` takes of what the filters and the excluding gates let through:

    * `all`; the `limit` newest (`latest`); `limit` at random by `seed` (`random`);
    * `limit` over the values of `by` (source, model or `meta.KEY`), shared out by `allocation` (`stratified`);
    * the `limit` with the highest score named `by` (`top`);
    * of each prompt the correct trace with the highest score `by`, or the shortest correct one (`best`, `shortest`);
    * in the order of the seed, or of the score `by` where given, until `budget` tokens are full (`budget`), counted
      as `tokens` says: UTF-8 bytes by four, or words. Both are estimates.

    `dedupe="prompt"` keeps one trace of each prompt. `eval_share` of the prompts, by `seed`, go to the eval split;
    `split_by="near_duplicate"` keeps prompts that are almost the same on one side. `gates` are `{name: action}` or
    `{name: {action, setting: value}}`, action off, warn or exclude.
    """

    name: str
    source: str | None = None
    model: str | None = None
    text: str = ""
    selection: Selection = "all"
    limit: int | None = None
    seed: int = 0
    eval_share: float = 0.1
    dedupe: Dedupe = "none"
    tags: tuple[str, ...] = ()
    correct: bool | None = None
    score: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    min_steps: int | None = None
    max_steps: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    after: str | None = None
    before: str | None = None
    by: str | None = None
    allocation: Allocation = "proportional"
    budget: int | None = None
    tokens: TokenCount = "bytes"
    split_by: SplitBy = "prompt"
    gates: Mapping[str, Any] = field(default_factory=dict)
    negatives: Negatives = "exclude"

    def __post_init__(self) -> None:
        for name, value in _normalised(self).items():
            object.__setattr__(self, name, value)
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form. Fields that came later are left out where they change nothing."""
        kept = {name: value for name, value in asdict(self).items() if name in {"name", *FIRST_FIELDS}}
        return kept | self._later()

    def recipe(self) -> dict[str, Any]:
        """What the content hash is taken over beside the rows: everything but the name."""
        return {name: value for name, value in self.to_dict().items() if name != "name"}

    def filters(self) -> dict[str, Any]:
        """The filters that are set, by their names in a query of the store."""
        found = {name: value for name in FILTERS if (value := getattr(self, name)) not in (None, "", ())}
        return found if self.negatives == "include" else {**found, "negative": False}

    def _later(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in {"name", *FIRST_FIELDS} and value not in (one.default, {}):
                made[one.name] = list(value) if isinstance(value, tuple) else value
        return made

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatasetSpec:
        """Build a spec from its JSON form; unknown keys raise InvalidDataset."""
        if unknown := sorted(set(data) - {one.name for one in fields(cls)}):
            raise InvalidDataset(f"{unknown[0]}: is not a field of a dataset spec.")
        if "name" not in data:
            raise InvalidDataset("name: is missing.")
        return cls(**data)

    def to_yaml(self) -> str:
        import yaml

        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


def _normalised(spec: DatasetSpec) -> dict[str, Any]:
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


def _check(spec: DatasetSpec) -> None:
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
        "selection": SELECTIONS,
        "dedupe": DEDUPES,
        "allocation": ALLOCATIONS,
        "split_by": SPLITS_BY,
        "tokens": TOKEN_COUNTS,
        "negatives": NEGATIVES,
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
            f"limit: required with selection {', '.join(sorted(_NEED_LIMIT))}, optional with best and shortest. With "
            "all and budget leave it out."
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
    try:
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC).isoformat()
    except OverflowError:
        raise InvalidDataset(f"{name}: {value!r} is before the year 1 or after 9999 in UTC.") from None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
