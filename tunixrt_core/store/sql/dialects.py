"""Differences of SQLite and PostgreSQL, and the words of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Select

Narrowed = tuple[Select[Any], ColumnElement[int]]  # a select and the id by which to order and to page it


class NewTrace(NamedTuple):
    """The columns of a trace in the order of the insert, so that a row goes to the driver as it is."""

    hash: str
    group_key: str
    source: str | None
    model: str | None
    body: str
    step_count: int
    size: int
    correct: int | None
    created_at: str


class Dialect(Protocol):
    """One database system. Whatever takes a connection is part of the caller's transaction.

    `known` gives the ids of the hashes that are stored, tombstones too. `insert_traces` stores the rows whose hash is
    new, with their search text, which is not asked for where the database finds it itself, and gives the ids of those
    that it inserted, by hash. `put_off` leaves undone what is quicker done once, at the end of a large import, than row
    by row, and gives what does it. `matching` narrows a select over `traces` to the words of a text, and says by which
    id to order and to page; `checking` gives the same traces and asks each one itself, for a select that leaves few.
    `beating` calls `beat` at intervals while the transaction writes, and a last time before the commit; an error that
    `beat` raises ends the transaction.
    `plans` is true where the caller must choose the leading index itself. `problems` are sentences about damage.
    """

    plans: bool

    def prepare(self, engine: Engine, *, writes: bool) -> None: ...
    def known(self, connection: Connection, hashes: Sequence[str]) -> dict[str, int]: ...
    def insert_traces(
        self, connection: Connection, rows: Sequence[NewTrace], texts: Iterable[str]
    ) -> Mapping[str, int]: ...
    def put_off(self, connection: Connection) -> Callable[[], object]: ...
    def beating(self, connection: Connection, beat: Callable[[], object]) -> AbstractContextManager[None]: ...
    def create_search(self, connection: Connection) -> None: ...
    def drop_search(self, connection: Connection) -> None: ...
    def renew_search(self, connection: Connection) -> None: ...
    def unindex(self, connection: Connection, ids: Sequence[int]) -> None: ...
    def matching(self, query: Select[Any], text: str) -> Narrowed: ...
    def checking(self, query: Select[Any], text: str) -> Select[Any]: ...
    def problems(self, connection: Connection) -> list[str]: ...
    def backup(self, connection: Connection, path: Path) -> None: ...
