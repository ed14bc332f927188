"""The home that a database belongs to."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, text

from tunixrt_core.errors import InvalidSettings
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import properties
from tunixrt_core.util.files.home_id import home_id, id_file

_NAME = "home"
_QUERY = select(properties.c.value).where(properties.c.name == _NAME)


def require_home(database: Database, home: Path) -> None:
    """Let a database that belongs to no home belong to this one.

    Raises InvalidSettings where it belongs to another one, OutputError where the home cannot be written.
    """
    own = home_id(home)
    held = _held(database) or _adopted(database, own)
    if held != own:
        raise InvalidSettings(
            f"TUNIXRT_DATABASE_URL: {database.place} belongs to another home (its id is {held}) than {home}. Share the "
            "folder of that home with this machine and name it in TUNIXRT_HOME, or use another database. If that home "
            f"is lost and {home} takes its place, write the id into {id_file(home)}."
        )


def _held(database: Database) -> str | None:
    with database.read() as connection:
        found: str | None = connection.execute(_QUERY).scalar_one_or_none()
        return found


def _adopted(database: Database, home: str) -> str:
    """The id of this home, or of another one whose process was quicker."""
    with database.apart() as connection:
        adopt = text("INSERT INTO properties (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING")
        connection.execute(adopt, {"name": _NAME, "value": home})
        found: str = connection.execute(_QUERY).scalar_one()
        return found
