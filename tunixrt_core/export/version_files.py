"""Files of one dataset version: written in one format, and told in a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.export.card import CardInfo
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import ExportInfo, FileType, write_export
from tunixrt_core.export.formats import ExportFormat
from tunixrt_core.export.writers import OnLeftOut

if TYPE_CHECKING:
    from tunixrt_core.datasets.versions import DatasetVersion
    from tunixrt_core.traces.rows import Split

# (told the hash of each trace that is deleted; told the hash of each that is no row, and why) -> the lines
Lines = Callable[[Callable[[str], object], OnLeftOut], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A written file, and how many traces of it are deleted."""

    info: ExportInfo
    deleted: int


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported and how; `said` are the options other than the default, as they were requested."""

    version: DatasetVersion
    exporter: ExportFormat
    file_type: FileType
    options: ExportOptions
    said: Mapping[str, Any]

    def write(self, lines: Lines, target: Path, split: Split | None, *, keep: bool = False) -> WrittenFile:
        """Write the file, and in its sidecar what was left out. `keep` is as of `write_export`."""
        deleted: list[str] = []
        left_out: Counter[str] = Counter()

        def more() -> Mapping[str, Any]:
            said: dict[str, Any] = {"options": self.said} if self.said else {}
            if split is not None:
                said["split"] = split
            return said | ({"left_out": left_out.total(), "left_out_reasons": dict(left_out)} if left_out else {})

        info = write_export(
            lines(deleted.append, lambda trace_hash, reason: left_out.update([reason])),
            target,
            format=self.exporter.name,
            file_type=self.file_type,
            columns=self.exporter.columns_with(self.options),
            # read when the lines have all been written, so `deleted` is complete then
            dataset={**self.version.ref, "deleted_rows": deleted},
            more=more,
            keep=keep,
        )
        return WrittenFile(replace(info, left_out=dict(left_out)), len(deleted))

    def card_info(self, about: str, written: Sequence[WrittenFile], split: Split | None) -> CardInfo:
        """What the card of these files says. `about` is the card of the version itself."""
        return CardInfo(
            name=self.version.label,
            about=about,
            format=self.exporter.name,
            columns=self.exporter.columns_with(self.options),
            file_type=self.file_type,
            options=self.said,
            split=split,
            left_out=sum((Counter(one.info.left_out) for one in written), Counter()),
            deleted=sum(one.deleted for one in written),
        )
