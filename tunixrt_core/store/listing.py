"""Listings of traces and dataset versions, with few imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunixrt_core.datasets.held import HeldRows
    from tunixrt_core.datasets.versions import DatasetVersion
    from tunixrt_core.store.datasets.held import Counted
    from tunixrt_core.store.query import Page, StoredTrace
    from tunixrt_core.store.sql.engine import Database


class Listing:
    """Reads by the driver alone: see `sql/reading.py`. The same as the methods of TraceStore and DatasetStore."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._missing: tuple[tuple[object, ...], Counted] = ((), ())  # as of these deletions

    def trace(self, ref: str) -> StoredTrace:
        """The trace of a hash, or of its first 8 or more digits. Raises NotFound, InvalidQuery if several match."""
        from tunixrt_core.store.traces.listed import one_trace

        with self._db.reading() as reader:
            return one_trace(reader, ref)

    def traces(self, after: str | None, limit: int) -> Page[StoredTrace]:
        """All traces, newest first. `after` is the `next` of the page before. Raises InvalidQuery."""
        from tunixrt_core.store.traces.listed import newest_traces

        with self._db.reading() as reader:
            return newest_traces(reader, after, limit)

    def cursor_at(self, ref: str) -> str:
        """The cursor of the page that begins with a trace. Raises NotFound, InvalidQuery if several match."""
        from tunixrt_core.store.traces.listed import cursor_at

        with self._db.reading() as reader:
            return cursor_at(reader, ref)

    def trace_count(self) -> int:
        """How many traces there are."""
        from tunixrt_core.store.traces.listed import tally

        with self._db.reading() as reader:
            return tally(reader, "all")

    def version(self, name: str, version: int | None) -> DatasetVersion:
        """A dataset version, the latest where none is given. Raises NotFound."""
        from tunixrt_core.store.datasets.versions import find_version, version_of

        with self._db.reading() as reader:
            return version_of(find_version(reader, name, version))

    def versions(self, name: str | None) -> list[DatasetVersion]:
        """All dataset versions, of one name where given, newest first."""
        from tunixrt_core.store.datasets.versions import list_versions

        with self._db.reading() as reader:
            return list_versions(reader, name, None)

    def missing(self) -> list[HeldRows]:
        """The dataset versions that list deleted traces, each with the number of these, the newest version first."""
        from tunixrt_core.store.datasets.held import count_deleted, deletions, with_holders

        with self._db.reading() as reader:
            now = deletions(reader)
            known, counted = self._missing
            if known != now:  # every page asks, and counting reads the rows of all versions
                counted = count_deleted(reader) if now[0] else ()
                self._missing = now, counted
            return with_holders(reader, counted)
