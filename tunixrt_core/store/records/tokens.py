"""Access tokens of users in the store, as hashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import StoredRow, moment, moment_or_none

if TYPE_CHECKING:
    from tunixrt_core.store.traces.traces import Clock

Role = Literal["read", "write"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The access token of a user; the token itself is nowhere but with its user."""

    name: str
    role: Role
    hash: str = field(repr=False)  # sha256 of the token, which has 256 random bits and so needs no slow hash
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """What may be shown of it."""
        return {
            "name": self.name,
            "role": self.role,
            "created_at": self.created_at.isoformat(),
            "created_by": self.created_by,
            "revoked_at": self.revoked_at and self.revoked_at.isoformat(),
        }


class TokenStore:
    """The access tokens of one database. A name has one token; that of a revoked one can be used again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def add(self, name: str, role: Role, hashed: str, by: str) -> AccessToken:
        """Store a new token. Raises Conflict where the name has one that is not revoked."""
        from sqlalchemy import delete, insert
        from sqlalchemy.exc import IntegrityError

        from tunixrt_core.store.sql.tables import access_tokens

        made = AccessToken(name, role, hashed, self._clock(), by)
        values = {"name": name, "role": role, "hash": hashed, "created_at": made.created_at, "created_by": by}
        revoked = (access_tokens.c.name == name) & access_tokens.c.revoked_at.is_not(None)
        try:
            with self._db.write() as connection:
                connection.execute(delete(access_tokens).where(revoked))
                connection.execute(insert(access_tokens).values(**values))
        except IntegrityError:
            raise Conflict(
                f"{name} has an access token already. Revoke it first: tunixrt users revoke {name}"
            ) from None
        return made

    def revoke(self, name: str) -> None:
        """Raises NotFound where the name has no token, or a revoked one."""
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import access_tokens

        active = (access_tokens.c.name == name) & access_tokens.c.revoked_at.is_(None)
        with self._db.write() as connection:
            changed = connection.execute(update(access_tokens).where(active).values(revoked_at=self._clock()))
        if not changed.rowcount:
            raise NotFound("access token of", name, "`tunixrt users list` lists them.")

    def all(self) -> list[AccessToken]:
        """By name, the revoked ones too."""
        with self._db.reading() as reader:
            return [_token(row) for row in reader.rows("SELECT * FROM access_tokens ORDER BY name")]


def _token(row: StoredRow) -> AccessToken:
    return AccessToken(
        row["name"],
        row["role"],
        row["hash"],
        moment(row["created_at"]),
        row["created_by"],
        moment_or_none(row["revoked_at"]),
    )
