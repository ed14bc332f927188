"""Bring a database to this program's schema. Costs one SELECT where it is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect
from sqlalchemy import text as sql

from tunixrt_core.errors import StoreError
from tunixrt_core.store.sql.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0006"  # the newest migration; a test compares it with the folder
KNOWN = frozenset({"0001", "0002", "0003", "0004", "0005", HEAD})


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, all of them or none.

    Raises StoreError where a newer program made the database, or where it belongs to another program.
    """
    with database.read() as connection:
        found = _version(connection)
    if found == HEAD:
        return
    if found is not None and found not in KNOWN:
        raise StoreError(
            f"The database {database.place} was written by a newer Tunix RT (schema {found}; this one knows {HEAD}). "
            "Upgrade Tunix RT, or set TUNIXRT_HOME to another directory."
        )
    with database.write() as connection:
        # another process may have come first while this one waited for the lock
        if _version(connection) != HEAD:
            _upgrade(connection, database)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(sql("SELECT version_num FROM alembic_version")).scalar()
    return version


def _upgrade(connection: Connection, database: Database) -> None:
    # Alembic takes longer to import than the rest of the store takes to open
    from alembic import command

    if _version(connection) is None and inspect(connection).has_table("traces"):
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
