"""Findings of a gate: hashes and positions, never text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, get_args

import orjson

from tunixrt_core.util.files.records import Stream

Action = Literal["off", "warn", "exclude"]
_HELD = 1_000
_BLOCK = 256 << 10  # bytes read at once
ACTIONS: tuple[Action, ...] = get_args(Action)


class Finding(NamedTuple):
    """One row that a gate stopped at. `reason` is a fixed word of that gate.

    `detail` says where: `field`, `start`, `end` of a part of the trace; `other`, the hash of the trace it is like,
    with `jaccard`; `eval`, the group key of the eval row it overlaps with; or `value`, what was measured.
    """

    hash: str
    reason: str
    detail: Mapping[str, Any]


class Findings(Stream[Finding]):
    """Findings in the order in which they came. The last thousand are in memory, those before them on the disk.

    The file has no name, so nothing stays behind, however the process ends. `folder` is that of `tempfile` by default.
    """

    def __init__(self, found: Iterable[Finding] = (), folder: Path | None = None) -> None:
        self.folder = folder
        self._last: list[Finding] = []
        self._file: IO[bytes] | None = None
        self._written = 0
        for finding in found:
            self.append(finding)

    def append(self, finding: Finding) -> None:
        self._last.append(finding)
        if len(self._last) >= _HELD:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
            self._file.write(
                b"".join(orjson.dumps((one.hash, one.reason, dict(one.detail))) + b"\n" for one in self._last)
            )
            self._file.flush()
            self._written += len(self._last)
            self._last.clear()

    def __len__(self) -> int:
        return self._written + len(self._last)

    def __iter__(self) -> Iterator[Finding]:
        rest, at = b"", 0
        while self._file is not None and (block := os.pread(self._file.fileno(), _BLOCK, at)):
            at += len(block)
            *lines, rest = (rest + block).split(b"\n")
            yield from (Finding(*orjson.loads(line)) for line in lines)
        yield from self._last

    def without(self, gone: Container[str]) -> Findings:
        """Those of the rows that are left."""
        return Findings((one for one in self if one.hash not in gone), self.folder)


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
