"""Options and report of the export of a tuned model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus

SHARD_BYTES = 5 * 10**9  # as Hugging Face's own tools wrote for years, and as every reader can take

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<prefix>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)
_PREFIXES = " KMGT"


class ExportLayout(StrEnum):
    """Which files an export is made of."""

    MERGED = "merged"  # a whole model as transformers writes it, LoRA added to the weights
    PEFT = "peft"  # the LoRA alone, as the peft package writes it; it is put on the base model when it is loaded


@dataclass(frozen=True, slots=True)
class ModelExportOptions:
    """How a tuned model is exported. `transformers`: whether Hugging Face's own code checks it too; None where it is
    installed. `shard_bytes` bounds a weight file of the merged layout; one tensor is never split.
    """

    layout: ExportLayout = ExportLayout.MERGED
    shard_bytes: int = SHARD_BYTES
    transformers: bool | None = None


@dataclass(frozen=True, slots=True)
class ExportCheck:
    """One reading of the exported files, compared with the trained model on prompts of the data file."""

    by: str  # whose code read and computed: tunix, transformers or peft
    largest_difference: float  # of any logit
    tolerance: float  # a larger difference is refused
    # share of the tokens after which both hold the same next token for the likeliest; after any other token those two
    # are level in the trained model, within the tolerance
    agreement: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """A model that was exported, and how it was checked. The first check is always Tunix's."""

    path: Path
    layout: ExportLayout
    train_step: int
    dtype: str  # of the weight files: as the base model has it, or as the LoRA was trained
    files: int  # weight files
    bytes: int  # of the weight files
    prompts: int
    tokens: int  # that were compared
    checks: tuple[ExportCheck, ...]
    not_checked: Mapping[str, str] = field(default_factory=dict)  # by whose code it was not, and why

    def to_dict(self) -> dict[str, Any]:
        """As `export.json` has it: of the directory, its name only."""
        return {**asdict(self), "path": self.path.name, "checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True, slots=True)
class ModelExportState:
    """One export. `message` says why it failed; `report` is there when it succeeded, as `export.json` has it."""

    id: str
    run_id: str
    layout: ExportLayout
    status: RunStatus = RunStatus.QUEUED
    phase: str = ""
    message: str = ""
    report: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        return self.status.over

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What an export left in a run's folder: its report, and its files with their sizes in bytes."""

    layout: ExportLayout
    folder: Path
    report: dict[str, Any]
    files: dict[str, int]


class Exporter(Protocol):
    """Writes the model of a run's last checkpoint as a directory that any Hugging Face tool reads."""

    def __call__(
        self,
        manifest: RunManifest,
        checkpoints: Path,
        target: Path,
        *,
        options: ModelExportOptions,
        card: Callable[[ExportReport], str],
        on_phase: Callable[[str], None],
    ) -> ExportReport:
        """`card` makes the README. The phases are `loading`, `writing` and `checking`; `target` must not exist."""


def parse_size(text: str) -> int:
    """Bytes of `5GB`, `500 MB`, `2GiB` or `1000000`. Raises ValueError with a sentence."""
    found = _SIZE.fullmatch(text.strip())
    size = 0
    if found is not None:
        power = _PREFIXES.index(found["prefix"].upper() or " ")
        size = int(float(found["number"]) * (1024 if found["binary"] else 1000) ** power)
    if size < 1:
        raise ValueError(f"{text!r} is not a size. Give one such as 5GB, 500MB or 2GiB.")
    return size


def folder_name(layout: ExportLayout) -> str:
    """What an export is called in a run's `export/` folder."""
    return {ExportLayout.MERGED: "model", ExportLayout.PEFT: "adapter"}[layout]
