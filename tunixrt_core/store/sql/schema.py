"""Upgrade of a database to the current schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import StoreError
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import Reader

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

HEAD = "0013"  # the newest migration; a test compares it with the folder
KNOWN = frozenset(f"{number:04}" for number in range(1, int(HEAD) + 1))


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, all of them or none.

    Raises StoreError where a newer program made the database, or where it belongs to another program.
    """
    with database.reading() as reader:
        found = _version(reader)
    if found == HEAD:
        return
    if found is not None and found not in KNOWN:
        raise StoreError(
            f"The database {database.place} was written by a newer Tunix RT (schema {found}; this one knows {HEAD}). "
            "Upgrade Tunix RT, restore a backup from before (tunixrt db restore FILE --force), or set TUNIXRT_HOME to "
            "another directory."
        )
    from tunixrt_core.store.sql.pools import reader_of

    with database.write() as connection:
        reader = reader_of(connection)
        # another process may have come first while this one waited for the lock
        if _version(reader) != HEAD:
            _upgrade(connection, reader, database)


def _version(reader: Reader) -> str | None:
    if not reader.has_table("alembic_version"):
        return None
    return next((row["version_num"] for row in reader.rows("SELECT version_num FROM alembic_version")), None)


def _upgrade(connection: Connection, reader: Reader, database: Database) -> None:
    # Alembic takes longer to import than the rest of the store takes to open
    from alembic import command

    if _version(reader) is None and reader.has_table("traces"):
        raise StoreError(f"The database {database.place} belongs to another program. Name another one.")
    command.upgrade(_config(connection, database), "head")


def downgrade(database: Database, revision: str) -> None:
    """Take the migrations after `revision` back, all or none; `base` takes all. What they hold is lost."""
    from alembic import command

    with database.write() as connection:
        command.downgrade(_config(connection, database), revision)


def _config(connection: Connection, database: Database) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["dialect"] = database.dialect
    return config
