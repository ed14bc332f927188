"""Who a request comes from, by its token or its cookie."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.visitor import ANYBODY, SERVER

if TYPE_CHECKING:
    from tunixrt_core.store.records.tokens import AccessToken

FRESH_SECONDS = 5.0  # that the users are kept in memory, and so that a revoked token is still accepted at most

Tokens = Callable[[], Sequence["AccessToken"]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whom the gate lets in. `key` tells a token of a user from a later one of the same name."""

    name: str
    writes: bool = True
    key: str = ""
    until: float = math.inf  # Unix seconds


class Callers:
    """The server's own token, and those of its users. `tokens` reads them from the store."""

    def __init__(self, token: str | None, tokens: Tokens) -> None:
        self._token = token.encode() if token else b""
        self._tokens = tokens
        self._users: dict[str, AccessToken] = {}
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    @property
    def anybody(self) -> Caller | None:
        """Who has neither token nor cookie, on a server that asks for none."""
        return None if self._token else Caller(ANYBODY)

    async def by_token(self, given: str) -> Caller | None:
        """Whose token this is. Raises StoreError where the users cannot be read."""
        if not given or not self._token:
            return None
        # bytes, as comparing text fails for letters outside ASCII
        if secrets.compare_digest(given.encode(), self._token):
            return Caller(SERVER)
        hashed = hashlib.sha256(given.encode()).hexdigest()
        came = time.monotonic()
        # a token that none of them has may be one that was just made
        for since in (came - FRESH_SECONDS, came):
            for user in (await self._active(since)).values():
                if user.hash == hashed:
                    return _caller(user)
        return None

    async def by_cookie(self, value: str) -> Caller | None:
        """Whose cookie this is, as of `cookie`. Raises StoreError where the users cannot be read."""
        if not value or not self._token:
            return None
        name, _, _ = value.partition(":")
        user = None if ":" not in value else (await self._active()).get(name)
        caller = _caller(user) if user else Caller(SERVER)
        return caller if secrets.compare_digest(value.encode(), self.cookie(caller).encode()) else None

    async def still(self, caller: Caller) -> bool:
        """Whether somebody who was let in may stay. Raises StoreError where the users cannot be read."""
        if not caller.key:
            return time.time() < caller.until
        user = (await self._active()).get(caller.name)
        return user is not None and user.hash == caller.key

    def cookie(self, caller: Caller) -> str:
        """What the browser of a caller keeps: never the token, and nothing that the stored hash alone would give."""
        signed = f"tunixrt session {caller.key}".rstrip().encode()
        signature = hmac.new(self._token, signed, hashlib.sha256).hexdigest()
        return f"{caller.name}:{signature}" if caller.key else signature

    async def _active(self, since: float | None = None) -> dict[str, AccessToken]:
        """The users by name, as they were at that time of the monotonic clock or later; else a few seconds ago."""
        async with self._reading:
            now = time.monotonic()
            if self._read_at < (now - FRESH_SECONDS if since is None else since):
                found = await asyncio.to_thread(self._tokens)
                self._users = {user.name: user for user in found if user.revoked_at is None}
                self._read_at = now
            return self._users


def _caller(user: AccessToken) -> Caller:
    return Caller(user.name, user.role == "write", user.hash)
