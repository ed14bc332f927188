"""The dataset spec: filters, selection, split and gates. The same spec on the same traces gives the same version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import yaml

from tunixrt_core.datasets.choices import Allocation, Dedupe, Selection, SplitBy, TokenCount
from tunixrt_core.datasets.spec_checks import check, normalised
from tunixrt_core.errors import InvalidDataset

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


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """How a dataset is made. Raises InvalidDataset, which names the field.

    Filters: `source`, `model`, `text` (words), `tags` (all of them), `correct`, a named `score` from `min_score` to
    `max_score`, `min_steps` to `max_steps`, `min_length` to `max_length` (bytes of the trace's canonical JSON), and
    the time of storing from `after` to `before` (ISO 8601).

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

    def __post_init__(self) -> None:
        for name, value in normalised(self).items():
            object.__setattr__(self, name, value)
        check(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form. Fields that came later are left out where they change nothing."""
        kept = {name: value for name, value in asdict(self).items() if name in {"name", *FIRST_FIELDS}}
        return kept | self._later()

    def recipe(self) -> dict[str, Any]:
        """What the content hash is taken over beside the rows: everything but the name."""
        return {name: value for name, value in self.to_dict().items() if name != "name"}

    def filters(self) -> dict[str, Any]:
        """The filters that are set, by name."""
        return {name: value for name in FILTERS if (value := getattr(self, name)) not in (None, "", ())}

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

    @classmethod
    def from_yaml(cls, text: str) -> DatasetSpec:
        """Build a spec from YAML or JSON text. Raises InvalidDataset."""
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InvalidDataset(f"spec: is not YAML ({' '.join(str(error).split())}).") from None
        if not isinstance(data, Mapping):
            raise InvalidDataset("spec: must be an object of fields such as `name` and `gates`.")
        return cls.from_dict({str(key): value for key, value in data.items()})

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
