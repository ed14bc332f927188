"""Exports of dataset versions and traces, as files and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.export.card import CardInfo, export_card, write_card
from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.export.files import ExportInfo, FileType, encoded, file_type_named, write_export
from tunixrt_core.export.formats import Job, export_tunix_sft_jsonl, exporter_named
from tunixrt_core.export.module import write_module

if TYPE_CHECKING:
    from tunixrt_core.datasets.versions import DatasetVersion
    from tunixrt_core.pipeline.datasets import Datasets
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store
    from tunixrt_core.traces.scores import GivenScore

_DEFAULT = ExportOptions()


def _nobody(trace_hash: str) -> None:
    """Whom nobody told."""


class Exports:
    """Dataset versions and traces as files."""

    def __init__(self, settings: Settings, store: Store, datasets: Datasets) -> None:
        self._settings = settings
        self._store = store
        self._datasets = datasets

    def scores_of(self, trace_hash: str) -> tuple[GivenScore, ...]:
        """The scores of a trace and of its steps, by name and step."""
        return self._store.curation.scores_of(trace_hash)

    def lines(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        options: ExportOptions = _DEFAULT,
        on_deleted: Callable[[str], object] = _nobody,
        on_left_out: Callable[[str], object] = _nobody,
    ) -> Iterator[bytes]:
        """The lines of an export, for streaming. The same version always gives the same bytes, until a trace in it
        is deleted: then that line is missing, and `on_deleted` is told its hash. `on_left_out` is told the hash of
        each trace that is no row of the format.
        """
        exporter = exporter_named(format)
        frozen = self._datasets.get(name, version)
        entries = self._entries(frozen, on_deleted, by_prompt=exporter.grouped)
        return exporter.lines(entries, Job(options, self.scores_of, on_left_out))

    def blocks(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
    ) -> Iterator[bytes]:
        """The bytes of an exported file, for streaming."""
        lines = self.lines(name, version, format, options=options)
        return encoded(lines, file_type_named(file_type), exporter_named(format).columns_with(options))

    def write(
        self,
        name: str,
        version: int | None = None,
        *,
        format: str = "tunix_sft",
        path: Path | None = None,
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
        card: bool = False,
        module: bool = False,
    ) -> ExportInfo:
        """Write a dataset version to a file, in the home where no path is given; with `card` a dataset card beside
        it, with `module` the Python module that Tunix's own command reads it through.

        The sidecar names the dataset version and the rows that are missing because their trace was deleted.
        """
        exporter, kind = exporter_named(format), file_type_named(file_type)
        frozen = self._datasets.get(name, version)
        target = path or self._settings.exports_dir / export_name(frozen, format, kind)
        deleted: list[str] = []
        left_out = 0

        def count(trace_hash: str) -> None:
            nonlocal left_out
            left_out += 1

        lines = self.lines(
            frozen.name,
            frozen.version,
            format,
            options=options,
            on_deleted=deleted.append,
            on_left_out=count,
        )
        said = options.to_dict(exporter.options)

        def more() -> Mapping[str, Any]:
            return ({"options": said} if said else {}) | ({"left_out": left_out} if left_out else {})

        info = write_export(
            lines,
            target,
            format=format,
            file_type=kind,
            columns=exporter.columns_with(options),
            # read when the lines have all been written, so `deleted` is complete then
            dataset={**frozen.ref, "deleted_rows": deleted},
            more=more,
        )
        if card:
            about = self._datasets.card(frozen.name, frozen.version)
            info_of_card = CardInfo(frozen.label, about, format, kind, said, left_out, len(deleted))
            write_card(info_of_card, info, alone=path is not None)
        if module:
            write_module(info, format, kind)
        return info

    def card(
        self,
        name: str,
        version: int | None = None,
        *,
        format: str = "tunix_sft",
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
    ) -> str:
        """The dataset card of an export that need not be written, so without rows, bytes and hash of the file."""
        exporter, kind, frozen = exporter_named(format), file_type_named(file_type), self._datasets.get(name, version)
        about = self._datasets.card(frozen.name, frozen.version)
        return export_card(
            CardInfo(frozen.label, about, format, kind, options.to_dict(exporter.options)),
            export_name(frozen, format, kind),
        )

    def name(
        self, name: str, version: int | None = None, format: str = "tunix_sft", *, file_type: str = "jsonl"
    ) -> str:
        """The name of the file that an export is saved as."""
        return export_name(self._datasets.get(name, version), exporter_named(format).name, file_type_named(file_type))

    def traces(self, refs: Iterable[str]) -> Iterator[bytes]:
        """Single traces as Tunix SFT lines. Raises NotFound for one that is not there."""
        return export_tunix_sft_jsonl([self._store.traces.get(ref).trace for ref in refs])

    def _entries(
        self, version: DatasetVersion, on_deleted: Callable[[str], object], *, by_prompt: bool
    ) -> Iterator[Entry]:
        for trace_hash, body, split in self._store.datasets.bodies(version.name, version.version, by_prompt=by_prompt):
            if body is None:
                on_deleted(trace_hash)
            else:
                yield Entry(trace_hash, body, split)


def export_name(version: DatasetVersion, format: str, file_type: FileType) -> str:
    """The name of the file that an export is written to, or saved as."""
    suffix = "" if format == "tunix_sft" else f".{format}"
    return f"{version.name}-v{version.version}{suffix}.{file_type.value}"
