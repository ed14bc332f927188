"""Users of the server: access tokens of their own, with a role."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunixrt_core.errors import InvalidInput
from tunixrt_core.store.records.tokens import ROLES, AccessToken, Role
from tunixrt_core.util.actors import current_actor
from tunixrt_core.util.hashing import sha256_hex

if TYPE_CHECKING:
    from tunixrt_core.store.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}")
PREFIX = "trt_"  # what a search for secrets recognises


@dataclass(frozen=True, slots=True)
class NewToken:
    """An access token, at the one moment when it is known."""

    name: str
    role: Role
    token: str


class Users:
    """The users of a home, each by the name of an access token."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, role: Role = "read") -> NewToken:
        """Make the access token of a user. Only its hash is stored.

        Raises InvalidInput for a name or a role that cannot be used, Conflict where the name has a token.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r}: a name is 1 to 80 letters, digits and . _ @ + -, and begins with one of the first two."
            )
        if role not in ROLES:
            raise InvalidInput(f"{role!r}: this is no role. Choose {' or '.join(ROLES)}.")
        token = PREFIX + secrets.token_urlsafe(32)
        self._store.tokens.add(name, role, sha256_hex(token.encode()), current_actor().name)
        return NewToken(name, role, token)

    def revoke(self, name: str) -> None:
        """Revoke the access token of a user: servers refuse it within seconds. Raises NotFound."""
        self._store.tokens.revoke(name)

    def all(self) -> list[AccessToken]:
        """All users by name, those with a revoked token too."""
        return self._store.tokens.all()
