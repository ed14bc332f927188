"""Exports of dataset versions and traces, as files and streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export.card import CardFile, CardInfo, card_path, export_card, write_card
from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.export.files import (
    ExportCounts,
    ExportInfo,
    encoded,
    export_name,
    file_type_named,
    remove_export,
)
from tunixrt_core.export.formats import ExportFormat, export_tunix_sft_jsonl, exporter_named
from tunixrt_core.export.module import check_prompts, write_module
from tunixrt_core.export.version_files import Export, WrittenFile
from tunixrt_core.export.writers import Job, OnLeftOut
from tunixrt_core.traces.rows import SPLITS

if TYPE_CHECKING:
    from tunixrt_core.datasets.versions import DatasetVersion
    from tunixrt_core.pipeline.namespaces.datasets import Datasets
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store
    from tunixrt_core.traces.rows import Split
    from tunixrt_core.traces.scores import GivenScore

_DEFAULT = ExportOptions()


def _nobody(*told: str) -> None:
    """Ignores what it is told: the default for `on_deleted` and `on_left_out`."""


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
        split: Split | None = None,
        on_deleted: Callable[[str], object] = _nobody,
        on_left_out: OnLeftOut = _nobody,
    ) -> Iterator[bytes]:
        """The lines of an export, for streaming; with `split` those of one side. The same version always gives the
        same bytes, until a trace in it is deleted: then that line is missing, and `on_deleted` is told its hash.
        `on_left_out` is told the hash of each trace that is no row of the format, and why.
        """
        exporter, frozen = exporter_named(format), self._datasets.get(name, version)
        entries = self._entries(frozen, split, on_deleted, by_prompt=exporter.grouped)
        undecided = options.turns == "auto" and "turns" in exporter.options
        chosen = self._resolved(frozen, exporter, options) if undecided else options
        negatives = self._datasets.negatives(frozen.name, frozen.version)
        return exporter.lines(entries, Job(chosen, self.scores_of, on_left_out, self._store.traces.body, negatives))

    def counts(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        options: ExportOptions = _DEFAULT,
        split: Split | None = None,
    ) -> ExportCounts:
        """How many rows an export has, and how many traces give none, by the reason; all lines are made for it.
        Raises InvalidDataset where no trace gives one.
        """
        left_out: Counter[str] = Counter()
        lines = self.lines(
            name,
            version,
            format,
            options=options,
            split=split,
            on_left_out=lambda trace_hash, reason: left_out.update([reason]),
        )
        return ExportCounts(sum(1 for _ in lines), dict(left_out))

    def blocks(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
        split: Split | None = None,
    ) -> Iterator[bytes]:
        """The bytes of an exported file, for streaming."""
        exporter, frozen = exporter_named(format), self._datasets.get(name, version)
        chosen = self._resolved(frozen, exporter, options)
        lines = self.lines(frozen.name, frozen.version, format, options=chosen, split=split)
        return encoded(lines, file_type_named(file_type), exporter.columns_with(chosen))

    def write(
        self,
        name: str,
        version: int | None = None,
        *,
        format: str = "tunix_sft",
        path: Path | None = None,
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
        split: Split | None = None,
        card: bool = False,
        module: bool = False,
    ) -> ExportInfo:
        """Write a dataset version, or one side of it, to a file, in the home where no path is given; with `card` a
        dataset card beside it, with `module` the Python module that Tunix's own command reads it through.

        The sidecar names the dataset version and the rows that are missing because their trace was deleted. A file of
        the home, or one that a run's manifest names, is never changed: other bytes are written beside it.
        """
        export = self._export(name, version, format, file_type, options)
        if module:
            check_prompts(export.options)
        target = path or self._settings.exports_dir / export_name(export.version, format, export.file_type, split)
        written = self._written(export, target, split, keep=path is None or self._store.runs.names_file(target))
        target = written.info.path
        if card:
            files = [CardFile(target.name, export=written.info)]
            write_card(self._card_info(export, [written], split), files, card_path(target, alone=path is not None))
        if module:
            write_module(written.info, format, export.file_type)
        return written.info

    def write_split_files(
        self,
        name: str,
        version: int | None = None,
        *,
        format: str = "tunix_sft",
        folder: Path | None = None,
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
        card: bool = False,
    ) -> dict[Split, ExportInfo]:
        """Write each side of a dataset version to a file of its own, `train.jsonl` and `eval.jsonl`, in a folder of the
        home where none is given; with `card` one README.md beside them.

        A side that gives no row gets no file, and one that an earlier export left there is removed, unless a run's
        manifest names it. Such a file is kept as `write` keeps it. Raises InvalidDataset where neither side gives a
        row.
        """
        export = self._export(name, version, format, file_type, options)
        suffix = f".{export.file_type.value}"
        folder = folder or self._settings.exports_dir / export_name(
            export.version, format, export.file_type
        ).removesuffix(suffix)
        found: dict[Split, WrittenFile] = {}
        fault: InvalidDataset | None = None
        for split in SPLITS:
            target = folder / f"{split}{suffix}"
            named = self._store.runs.names_file(target)
            try:
                if _rows_of(export.version, split):
                    found[split] = self._written(export, target, split, keep=named)
            except InvalidDataset as error:  # no trace of this side makes a row of the format
                fault = error
            if split not in found and not named:
                remove_export(target)
        if fault is not None and not found:
            raise fault
        infos = {split: written.info for split, written in found.items()}
        if card:
            files = [CardFile(info.path.name, split, info) for split, info in infos.items()]
            write_card(self._card_info(export, list(found.values()), None), files, folder / "README.md")
        return infos

    def card(
        self,
        name: str,
        version: int | None = None,
        *,
        format: str = "tunix_sft",
        file_type: str = "jsonl",
        options: ExportOptions = _DEFAULT,
        split: Split | None = None,
        split_files: bool = False,
    ) -> str:
        """The dataset card of an export that need not be written, so without rows, bytes and hash of the file; with
        `split_files` that of a file for each side.
        """
        export = self._export(name, version, format, file_type, options)
        sides: Sequence[Split | None] = (
            [side for side in SPLITS if _rows_of(export.version, side)] if split_files else [split]
        )
        names = [(export_name(export.version, format, export.file_type, side), side) for side in sides]
        files = [CardFile(file_name, side if split_files else None) for file_name, side in names]
        return export_card(self._card_info(export, [], split), files)

    def name(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        file_type: str = "jsonl",
        split: Split | None = None,
    ) -> str:
        """The name of the file that an export is saved as."""
        frozen = self._datasets.get(name, version)
        return export_name(frozen, exporter_named(format).name, file_type_named(file_type), split)

    def traces(self, refs: Iterable[str]) -> Iterator[bytes]:
        """Single traces as Tunix SFT lines. Raises NotFound if one is missing."""
        return export_tunix_sft_jsonl([self._store.traces.get(ref).trace for ref in refs], scores_of=self.scores_of)

    def _export(self, name: str, version: int | None, format: str, file_type: str, options: ExportOptions) -> Export:
        exporter, kind, frozen = exporter_named(format), file_type_named(file_type), self._datasets.get(name, version)
        chosen = self._resolved(frozen, exporter, options)
        return Export(frozen, exporter, kind, chosen, options.to_dict(exporter.options))

    def _resolved(self, version: DatasetVersion, exporter: ExportFormat, options: ExportOptions) -> ExportOptions:
        """Prompts and columns of one kind in all files of a version."""
        parts = self._store.datasets.chat_parts(version.name, version.version, pairs=exporter.name == "preference")
        return exporter.resolved(options, parts)

    def _written(self, export: Export, target: Path, split: Split | None, *, keep: bool = False) -> WrittenFile:
        def lines(on_deleted: Callable[[str], object], on_left_out: OnLeftOut) -> Iterator[bytes]:
            return self.lines(
                export.version.name,
                export.version.version,
                export.exporter.name,
                options=export.options,
                split=split,
                on_deleted=on_deleted,
                on_left_out=on_left_out,
            )

        return export.write(lines, target, split, keep=keep)

    def _card_info(self, export: Export, written: Sequence[WrittenFile], split: Split | None) -> CardInfo:
        about = self._datasets.card(export.version.name, export.version.version)
        return export.card_info(about, written, split)

    def _entries(
        self, version: DatasetVersion, split: Split | None, on_deleted: Callable[[str], object], *, by_prompt: bool
    ) -> Iterator[Entry]:
        stored = self._store.datasets.bodies(version.name, version.version, split=split, by_prompt=by_prompt)
        for trace_hash, body, side in stored:
            if body is None:
                on_deleted(trace_hash)
            else:
                yield Entry(trace_hash, body, side)


def _rows_of(version: DatasetVersion, split: Split) -> int:
    return version.train_rows if split == "train" else version.eval_rows
