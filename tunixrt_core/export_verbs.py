"""Export: what a Pipeline does to write dataset versions and traces as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tunixrt_core.dataset_verbs import DatasetVerbs
from tunixrt_core.datasets import DatasetVersion
from tunixrt_core.export import ExportInfo, export_tunix_sft_jsonl, exporter_named, write_export
from tunixrt_core.rows import Split
from tunixrt_core.settings import Settings
from tunixrt_core.traces import Trace


class ExportVerbs(DatasetVerbs):
    """The part of a Pipeline that writes exports."""

    settings: Settings

    def export_lines(
        self,
        name: str,
        version: int | None = None,
        format: str = "tunix_sft",
        *,
        on_deleted: Callable[[str], object] = lambda trace_hash: None,
    ) -> Iterator[bytes]:
        """The lines of an export, for streaming. The same version always gives the same bytes, until a trace in it
        is deleted: then that line is missing, and `on_deleted` is told its hash.
        """
        exporter = exporter_named(format)
        frozen = self.dataset(name, version)
        rows = self.dataset_rows(frozen.name, frozen.version, on_deleted=on_deleted)
        side: dict[str, Split] = {}

        def traces() -> Iterator[Trace]:
            for trace, side["now"] in rows:
                yield trace

        return exporter(traces(), split_of=lambda trace: side["now"])

    def export_dataset(
        self, name: str, version: int | None = None, *, format: str = "tunix_sft", path: Path | None = None
    ) -> ExportInfo:
        """Write a dataset version to a JSONL file, in the home where no path is given.

        The sidecar names the dataset version and the rows that are missing because their trace was deleted.
        """
        frozen = self.dataset(name, version)
        suffix = "" if format == "tunix_sft" else f".{format}"
        target = path or self.settings.exports_dir / f"{frozen.name}-v{frozen.version}{suffix}.jsonl"
        deleted: list[str] = []
        lines = self.export_lines(frozen.name, frozen.version, format, on_deleted=deleted.append)
        # write_export reads this when the lines have all been written, so `deleted` is complete then
        return write_export(lines, target, format=format, dataset={**dataset_ref(frozen), "deleted_rows": deleted})

    def export_traces(self, refs: Iterable[str]) -> Iterator[bytes]:
        """Single traces as Tunix SFT lines. Raises NotFound for one that is not there."""
        return export_tunix_sft_jsonl([self.store.traces.get(ref).trace for ref in refs])


def dataset_ref(version: DatasetVersion) -> dict[str, Any]:
    """What an export or a manifest says about the dataset version that it was made from."""
    return {"name": version.name, "version": version.version, "content_hash": version.content_hash}
