"""Dataset: what a Pipeline does to freeze selections of traces and to read them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from tunixrt_core import datasets
from tunixrt_core.datasets import DatasetSpec, DatasetVersion
from tunixrt_core.rows import Split
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces import Trace


class DatasetVerbs:
    """The part of a Pipeline that builds dataset versions."""

    store: Store

    def build_dataset(self, spec: DatasetSpec) -> DatasetVersion:
        """Freeze a selection as the next version of its name. The same content again gives the version that has it."""
        candidates = self.store.traces.select(TraceQuery(text=spec.text, source=spec.source, model=spec.model))
        rows = datasets.build_dataset(spec, candidates)
        parent = self.store.datasets.latest_number(spec.name)
        built = datasets.freeze(spec, rows, version=(parent or 0) + 1, parent=parent, created_at=datetime.now(UTC))
        if known := self.store.datasets.find(spec.name, built.content_hash):
            return known
        self.store.datasets.add(built, rows)
        return built

    def dataset(self, name: str, version: int | None = None) -> DatasetVersion:
        return self.store.datasets.get(name, version)

    def dataset_versions(self, name: str | None = None) -> list[DatasetVersion]:
        """All versions, newest first."""
        return self.store.datasets.list(name)

    def dataset_rows(
        self,
        name: str,
        version: int | None = None,
        split: Split | None = None,
        *,
        on_deleted: Callable[[str], object] = lambda trace_hash: None,
    ) -> Iterator[tuple[Trace, Split]]:
        """The traces of a version with their side of the split, streamed in order.

        A trace that was deleted since is left out, and `on_deleted` is told its hash.
        """
        frozen = self.dataset(name, version)
        sides: dict[str, Split] = {}

        def hashes() -> Iterator[str]:
            for row in self.store.datasets.rows(frozen.name, frozen.version, split):
                sides[row.hash] = row.split
                yield row.hash

        for trace in self.store.traces.by_hashes(hashes(), on_missing=on_deleted):
            yield trace, sides.pop(trace.content_hash)
