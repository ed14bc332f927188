"""Findings of a gate: hashes and positions, never text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

Action = Literal["off", "warn", "exclude"]
ACTIONS: tuple[Action, ...] = get_args(Action)


class Finding(NamedTuple):
    """One row that a gate stopped at. `reason` is a fixed word of that gate.

    `detail` says where: `field`, `start`, `end` of a part of the trace; `other`, the hash of the trace it is like,
    with `jaccard`; `eval`, the group key of the eval row it overlaps with; or `value`, what was measured.
    """

    hash: str
    reason: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What one gate did for one dataset version: how it was set, how many rows it looked at, and what it found.

    `counts` are by outcome, rows without a finding included where the gate tells them apart (`right`). `notes` are
    facts about it in words, such as the name of an eval file. `rows` is the number of rows found.
    """

    gate: str
    version: int
    action: Action
    settings: Mapping[str, Any]
    checked: int
    counts: Mapping[str, int]
    rows: int
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "gate": self.gate,
            "version": self.version,
            "action": self.action,
            "settings": dict(self.settings),
            "checked": self.checked,
            "counts": dict(self.counts),
            "rows": self.rows,
            "notes": dict(self.notes),
        }
