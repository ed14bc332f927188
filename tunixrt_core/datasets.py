"""Dataset versions: a frozen, hashed selection of traces, split so that one prompt never stands on both sides."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.hashing import canonical_json
from tunixrt_core.rows import Split

Selection = Literal["all", "latest", "random"]
Dedupe = Literal["none", "prompt"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
DEDUPES: tuple[Dedupe, ...] = get_args(Dedupe)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


class Candidate(NamedTuple):
    """A trace as the selection sees it. `id` is the database's own and decides nothing here."""

    id: int
    hash: str
    group_key: str


class DatasetRow(NamedTuple):
    """One trace of a version, and the side of the split it stands on."""

    hash: str
    split: Split


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """How a dataset is made. The same spec on the same traces gives the same version on every machine.

    `source`, `model` and `text` filter the traces. `selection` takes all of them, the `limit` newest, or `limit` at
    random by `seed`. `dedupe="prompt"` keeps one trace of each prompt. `eval_share` of the prompts, by `seed`, go
    to the eval split. Raises InvalidDataset, which names the field.
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

    def __post_init__(self) -> None:
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatasetSpec:
        """Build a spec from its JSON form; unknown keys raise InvalidDataset."""
        if unknown := sorted(set(data) - {field.name for field in fields(cls)}):
            raise InvalidDataset(f"{unknown[0]}: is not a field of a dataset spec.")
        if "name" not in data:
            raise InvalidDataset("name: is missing.")
        return cls(**data)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A version as it is kept. `content_hash` is over the spec, without its name, and the rows.

    `parent` is the number of the version before it, None on the first.
    """

    name: str
    version: int
    spec: DatasetSpec
    content_hash: str
    train_rows: int
    eval_rows: int
    parent: int | None
    created_at: datetime

    @property
    def rows(self) -> int:
        return self.train_rows + self.eval_rows

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "spec": self.spec.to_dict(),
            "content_hash": self.content_hash,
            "train_rows": self.train_rows,
            "eval_rows": self.eval_rows,
            "parent": self.parent,
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What changed from one version to another, as trace hashes in order. `moved` stands on the other side now."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    kept: int


def build_dataset(spec: DatasetSpec, candidates: Iterable[Candidate]) -> tuple[DatasetRow, ...]:
    """The rows of a version, in the order of their hashes. `candidates` come newest first, already filtered.

    Raises InvalidDataset where nothing is selected.
    """
    chosen = _select(spec, _dedupe(spec, candidates))
    if not chosen:
        raise InvalidDataset(
            "No trace matches this dataset's filters. Import traces first, or widen source, model and text."
        )
    on_eval = _eval_groups(spec, {candidate.group_key for candidate in chosen})
    rows = (DatasetRow(c.hash, "eval" if c.group_key in on_eval else "train") for c in chosen)
    return tuple(sorted(rows))


def freeze(
    spec: DatasetSpec, rows: Sequence[DatasetRow], *, version: int, parent: int | None, created_at: datetime
) -> DatasetVersion:
    """The version made of a spec and its rows."""
    on_eval = sum(row.split == "eval" for row in rows)
    return DatasetVersion(
        name=spec.name,
        version=version,
        spec=spec,
        content_hash=version_hash(spec, rows),
        train_rows=len(rows) - on_eval,
        eval_rows=on_eval,
        parent=parent,
        created_at=created_at,
    )


def version_hash(spec: DatasetSpec, rows: Iterable[DatasetRow]) -> str:
    """sha256 over the spec without its name, and every row's hash and split in order."""
    recipe = {key: value for key, value in spec.to_dict().items() if key != "name"}
    digest = hashlib.sha256(canonical_json(recipe))
    for row in rows:
        digest.update(f"\n{row.hash} {row.split}".encode())
    return digest.hexdigest()


def diff(a_rows: Iterable[DatasetRow], b_rows: Iterable[DatasetRow]) -> DatasetDiff:
    """What has to happen to the first version's rows to give the second's."""
    a, b = dict(a_rows), dict(b_rows)
    common = sorted(a.keys() & b.keys())
    moved = tuple(key for key in common if a[key] != b[key])
    return DatasetDiff(
        added=tuple(sorted(b.keys() - a.keys())),
        removed=tuple(sorted(a.keys() - b.keys())),
        moved=moved,
        kept=len(common) - len(moved),
    )


def _draw(seed: int, purpose: str, key: str) -> int:
    """A number from 0 to 2**64 - 1 that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}:{key}".encode()).digest()[:8], "big")


def _dedupe(spec: DatasetSpec, candidates: Iterable[Candidate]) -> list[Candidate]:
    if spec.dedupe == "none":
        return list(candidates)
    kept: dict[str, Candidate] = {}
    for candidate in candidates:
        held = kept.get(candidate.group_key)
        # newest first: the first one met is the newest. Elsewhere the choice must not depend on the order.
        if held is None or (spec.selection != "latest" and candidate.hash < held.hash):
            kept[candidate.group_key] = candidate
    return list(kept.values())


def _select(spec: DatasetSpec, candidates: list[Candidate]) -> list[Candidate]:
    if spec.selection == "random":
        candidates.sort(key=lambda c: (_draw(spec.seed, "select", c.hash), c.hash))
    return candidates[: spec.limit]


def _eval_groups(spec: DatasetSpec, groups: set[str]) -> set[str]:
    """The groups of the eval split. With two groups or more, neither side of a wanted split stays empty."""
    if spec.eval_share == 0 or len(groups) < 2:
        return set()
    draws = {group: _draw(spec.seed, "split", group) for group in groups}
    bar = math.floor(spec.eval_share * 2**64)
    chosen = {group for group, draw in draws.items() if draw < bar}
    ordered = sorted(groups, key=lambda group: (draws[group], group))
    return (chosen or {ordered[0]}) if len(chosen) < len(groups) else set(ordered[:-1])


def _check(spec: DatasetSpec) -> None:
    if not isinstance(spec.name, str) or not _NAME.fullmatch(spec.name):
        raise InvalidDataset(
            f"name: {spec.name!r} cannot be used. Take lower-case letters, digits, `.`, `_` and `-`, "
            "beginning with a letter or digit, at most 80."
        )
    for field, value in (("source", spec.source), ("model", spec.model), ("text", spec.text)):
        if not isinstance(value, str) and not (value is None and field != "text"):
            raise InvalidDataset(f"{field}: must be text.")
    if spec.selection not in SELECTIONS:
        raise InvalidDataset(f"selection: {spec.selection!r} is not one of {', '.join(SELECTIONS)}.")
    if spec.dedupe not in DEDUPES:
        raise InvalidDataset(f"dedupe: {spec.dedupe!r} is not one of {', '.join(DEDUPES)}.")
    _check_numbers(spec)


def _check_numbers(spec: DatasetSpec) -> None:
    if not _is_whole(spec.seed) or not 0 <= spec.seed < 2**63:
        raise InvalidDataset(f"seed: {spec.seed!r} is not a whole number from 0 to 2**63 - 1.")
    if spec.limit is not None and (not _is_whole(spec.limit) or spec.limit < 1):
        raise InvalidDataset(f"limit: {spec.limit!r} is not a whole number of at least 1.")
    if (spec.limit is None) != (spec.selection == "all"):
        raise InvalidDataset(
            "limit: goes with selection latest or random, which need one; with selection all leave it out."
        )
    share = spec.eval_share
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise InvalidDataset(f"eval_share: {share!r} is not a number from 0 to below 1.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
