"""The open store."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.schema import migrate
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from tunixrt_core.store.backup import Copy, Health, Progress
    from tunixrt_core.store.datasets.datasets import DatasetStore
    from tunixrt_core.store.listing import Listing
    from tunixrt_core.store.records.evals import EvalStore
    from tunixrt_core.store.records.jobs import JobStore
    from tunixrt_core.store.records.requests import RequestStore
    from tunixrt_core.store.records.runs import RunStore
    from tunixrt_core.store.records.tokens import TokenStore
    from tunixrt_core.store.traces.counts import CountStore
    from tunixrt_core.store.traces.curation import CurationStore
    from tunixrt_core.store.traces.groups import GroupStore
    from tunixrt_core.store.traces.traces import Clock, TraceStore


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Traces, dataset versions, runs, evaluations, request ids and access tokens of one database.

    Safe to use from several threads. Each part is imported and made at its first use.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @made_once
    def traces(self) -> TraceStore:
        from tunixrt_core.store.traces.traces import TraceStore

        return TraceStore(self._database, self._clock)

    @made_once
    def listing(self) -> Listing:
        from tunixrt_core.store.listing import Listing

        return Listing(self._database)

    @made_once
    def curation(self) -> CurationStore:
        from tunixrt_core.store.traces.curation import CurationStore

        return CurationStore(self._database, self._clock)

    @made_once
    def groups(self) -> GroupStore:
        from tunixrt_core.store.traces.groups import GroupStore

        return GroupStore(self._database)

    @made_once
    def counts(self) -> CountStore:
        from tunixrt_core.store.traces.counts import CountStore

        return CountStore(self._database)

    @made_once
    def datasets(self) -> DatasetStore:
        from tunixrt_core.store.datasets.datasets import DatasetStore

        return DatasetStore(self._database)

    @made_once
    def runs(self) -> RunStore:
        from tunixrt_core.store.records.runs import RunStore

        return RunStore(self._database)

    @made_once
    def evals(self) -> EvalStore:
        from tunixrt_core.store.records.evals import EvalStore

        return EvalStore(self._database)

    @made_once
    def requests(self) -> RequestStore:
        from tunixrt_core.store.records.requests import RequestStore

        return RequestStore(self._database, self._clock)

    @made_once
    def tokens(self) -> TokenStore:
        from tunixrt_core.store.records.tokens import TokenStore

        return TokenStore(self._database, self._clock)

    @made_once
    def jobs(self) -> JobStore:
        from tunixrt_core.store.records.jobs import JobStore

        return JobStore(self._database)

    def close(self) -> None:
        """Give the connections back. The store cannot be used after it."""
        self._database.close()

    def backup(self, path: Path) -> Copy:
        """Copy the database to a new file while it is used. See `backup`."""
        from tunixrt_core.store.backup import backup

        return backup(self._database, path)

    def check(
        self, on_progress: Progress = lambda phase, done, total: None, stop: threading.Event | None = None
    ) -> Health:
        """Read every page and every trace. See `backup`."""
        from tunixrt_core.store.backup import check

        return check(self._database, on_progress, stop)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_store(url: str, *, clock: Clock = _now, home: Path | None = None) -> Store:
    """Open the database at a SQLAlchemy URL, making it and its directory where they are missing, and migrate it.

    `home`: the one that it has to belong to if it is on a server, which other homes reach too; one that belongs to none
    belongs to it from now on. Raises StoreError: not writable, not a database, or written by a newer program;
    InvalidSettings where it belongs to another home, and OutputError.
    """
    with ExitStack() as on_failure:
        database = Database(url)
        on_failure.callback(database.close)
        migrate(database)
        if home is not None and url.startswith("postgresql"):
            from tunixrt_core.store.records.belonging import require_home

            require_home(database, home)
        on_failure.pop_all()
    return Store(database, clock)
