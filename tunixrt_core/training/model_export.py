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

SHARD_BYTES = 5 * 10**9  # as Hugging Face's own tools wrote for years; every reader supports it

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<prefix>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)
_PREFIXES = " KMGT"


class ExportLayout(StrEnum):
    """The files of an export."""

    MERGED = "merged"  # a whole model as transformers writes it, LoRA added to the weights
    PEFT = "peft"  # the LoRA alone, as the peft package writes it; it is applied to the base model when it is loaded


@dataclass(frozen=True, slots=True)
class ModelExportOptions:
    """How a tuned model is exported. `transformers`: whether Hugging Face's own code checks it too; None: if it is
    installed. `shard_bytes` bounds a weight file of the merged layout; one tensor is never split.
    """

    layout: ExportLayout = ExportLayout.MERGED
    shard_bytes: int = SHARD_BYTES
    transformers: bool | None = None


@dataclass(frozen=True, slots=True)
class ExportCheck:
    """One check of the exported files against the trained model, on prompts of the data file."""

    by: str  # the code that read and computed: tunix, transformers or peft
    largest_difference: float  # of any logit
    tolerance: float  # a larger difference is refused
    # share of the tokens after which both predict the same next token; after any other token the two predictions
    # are equal in the trained model, within the tolerance
    agreement: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """An exported model, and its checks. The first check is always Tunix's."""

    path: Path
    layout: ExportLayout
    train_step: int
    dtype: str  # of the weight files: that of the base model, or that of the trained LoRA
    files: int  # weight files
    bytes: int  # of the weight files
    prompts: int
    tokens: int  # that were compared
    checks: tuple[ExportCheck, ...]
    not_checked: Mapping[str, str] = field(default_factory=dict)  # code that did not check it, and why

    def to_dict(self) -> dict[str, Any]:
        """The content of `export.json`: of the directory, only its name."""
        return {**asdict(self), "path": self.path.name, "checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True, slots=True)
class ModelExportState:
    """One export. `message` says why it failed; `report` is set if it succeeded, as in `export.json`."""

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
    """An export in a run's folder: its report, and its files with their sizes in bytes."""

    layout: ExportLayout
    folder: Path
    report: dict[str, Any]
    files: dict[str, int]


class Exporter(Protocol):
    """Writes the model of a run's last checkpoint as a directory that any Hugging Face tool can read."""

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
        raise ValueError(f"{text!r} is not a size. Use one such as 5GB, 500MB or 2GiB.")
    return size


def folder_name(layout: ExportLayout) -> str:
    """The name of an export in a run's `export/` folder."""
    return {ExportLayout.MERGED: "model", ExportLayout.PEFT: "adapter"}[layout]
