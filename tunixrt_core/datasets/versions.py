"""Dataset versions: spec, counts, content hash and differences."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tunixrt_core.datasets.rows import DatasetRow
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.util.hashing import canonical_json


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A version as it is kept. `content_hash` is over the spec, without its name, and the rows.

    `parent` is the number of the version before it, None on the first. `left_out` counts matching traces that became
    no row, by the reason; a version that was just built has it, one that is read back does not.
    """

    name: str
    version: int
    spec: DatasetSpec
    content_hash: str
    train_rows: int
    eval_rows: int
    parent: int | None
    created_at: datetime
    left_out: Mapping[str, int] | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """`mine v2`."""
        return f"{self.name} v{self.version}"

    @property
    def rows(self) -> int:
        return self.train_rows + self.eval_rows

    @property
    def ref(self) -> dict[str, Any]:
        """What an export or a manifest says about the version that it was made from."""
        return {"name": self.name, "version": self.version, "content_hash": self.content_hash}

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
    """Changes from one version to another, as trace hashes in order. `moved` ones changed sides of the split.

    `changed` are pairs (before, after) of the same prompt with other content; they are in no other list.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    kept: int
    changed: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "moved": list(self.moved),
            "changed": [{"before": before, "after": after} for before, after in self.changed],
            "kept": self.kept,
        }


def freeze(
    spec: DatasetSpec, rows: Collection[DatasetRow], *, version: int, parent: int | None, created_at: datetime
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
    """sha256 over the spec's recipe, and every row's hash and split in order."""
    digest = hashlib.sha256(canonical_json(spec.recipe()))
    for row in rows:
        digest.update(f"\n{row.hash} {row.split}".encode())
    return digest.hexdigest()


def diff(
    a_rows: Iterable[DatasetRow], b_rows: Iterable[DatasetRow], group_of: Mapping[str, str] | None = None
) -> DatasetDiff:
    """What has to happen to the first version's rows to give the second's.

    `group_of` leads from a hash to its prompt group; without it, and for traces that were deleted, no row counts as
    changed.
    """
    a, b = dict(a_rows), dict(b_rows)
    common = sorted(a.keys() & b.keys())
    moved = tuple(key for key in common if a[key] != b[key])
    changed = _changed(sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys()), group_of or {})
    before, after = {one for one, _ in changed}, {one for _, one in changed}
    return DatasetDiff(
        added=tuple(sorted(b.keys() - a.keys() - after)),
        removed=tuple(sorted(a.keys() - b.keys() - before)),
        moved=moved,
        kept=len(common) - len(moved),
        changed=tuple(changed),
    )


def _changed(gone: Sequence[str], come: Sequence[str], group_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Rows that went and rows that came in the same prompt group, paired in the order of their hashes."""
    waiting: dict[str, list[str]] = {}
    for hash in reversed(come):
        if (group := group_of.get(hash)) is not None:
            waiting.setdefault(group, []).append(hash)
    pairs = []
    for hash in gone:
        found = waiting.get(group_of.get(hash, ""))
        if found:
            pairs.append((hash, found.pop()))
    return pairs
