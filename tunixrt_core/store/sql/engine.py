"""One database: read pool, one writer, errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tunixrt_core.store.sql.reading import Reader, SQLiteFile
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tunixrt_core.store.sql.dialects import Dialect
    from tunixrt_core.store.sql.pools import Pools


class Database:
    """Connections to one database. Writers wait for each other; readers see the last commit and never wait.

    SQLAlchemy is loaded with the first `read` or `write`, and for whatever is not a plain file of SQLite. Raises
    StoreError for a URL that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._file = SQLiteFile.of(url)
        self.place = str(self._file.path) if self._file else self._pools.place

    @made_once
    def _pools(self) -> Pools:
        from tunixrt_core.store.sql.pools import Pools

        return Pools(self._url)

    @made_once
    def dialect(self) -> Dialect:
        return self._pools.dialect

    def read(self) -> AbstractContextManager[Connection]:
        """A connection that sees one moment of the database. Raises StoreError."""
        return self._pools.read()

    def write(self) -> AbstractContextManager[Connection]:
        """One transaction: all of it is kept, or, after any exception, nothing. Raises StoreError."""
        return self._pools.write()

    def apart(self) -> AbstractContextManager[Connection]:
        """As `write`, but on a server it does not wait for other writers of this process: for short ones that the
        database itself keeps apart. Raises StoreError.
        """
        return self._pools.apart()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One moment of the database, asked in plain SQL. Raises StoreError."""
        if self._file is not None:
            with self._file.reading() as reader:
                yield reader
            return
        from tunixrt_core.store.sql.pools import reader_of

        with self.read() as connection:
            yield reader_of(connection)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if "_pools" in vars(self):
            self._pools.close()
