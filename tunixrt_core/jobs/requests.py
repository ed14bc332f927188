"""Idempotent starts: one request id starts one thing once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tunixrt_core.errors import Busy, RequestReused
from tunixrt_core.store.records.requests import Claim, RequestStore
from tunixrt_core.util import owners
from tunixrt_core.util.hashing import content_hash

MAX_LENGTH = 200
_LOOK_SECONDS = 0.05  # between checks of a request that another thread or process is about to answer

T = TypeVar("T")


class Requests:
    """The request ids of one home, over all its threads and processes: the store gives each id to one of them."""

    def __init__(self, store: RequestStore, *, patience: float = 30.0) -> None:
        self._store = store
        self._patience = patience
        self._owner = owners.this_owner()

    def once(
        self,
        request_id: str | None,
        kind: str,
        asked: Mapping[str, Any],
        start: Callable[[], T],
        *,
        note: Callable[[T], Mapping[str, Any]],
        find: Callable[[Mapping[str, Any]], T | None],
    ) -> T:
        """The result of `start`; for a request id that was used before, the result of that start, and nothing starts.

        `note` gives the data to store for it, `find` returns it from these data; None if it is forgotten, and then it
        is started again. A start that fails stores nothing, so that the same id can be used again. Without an id
        every call starts. Raises RequestReused if the id was used for something else, Busy if another call under it
        takes longer than half a minute.
        """
        if request_id is None:
            return start()
        claim = Claim(request_id, kind, content_hash(dict(asked)), self._owner)
        until = time.monotonic() + self._patience
        while not self._store.claim(claim):
            known = self._store.get(request_id)
            if known is None:
                continue  # the start that had it has failed
            _check(claim, known)
            if known.answer is not None and (found := find(known.answer)) is not None:
                return found
            if self._is_void(known) and self._store.take_over(known, self._owner):
                break
            if time.monotonic() > until:
                raise Busy(f"Another call under the request id {request_id!r} is not done yet. Ask again later.")
            time.sleep(_LOOK_SECONDS)
        return self._start(request_id, start, note)

    def used(self, request_id: str) -> bool:
        """Whether this request id was used: something was started under it, or is about to be."""
        return self._store.get(request_id) is not None

    def _is_void(self, known: Claim) -> bool:
        """Its result is forgotten by now, or its process died before the result."""
        claimed = known.created_at.timestamp() if known.created_at else 0.0
        return known.answer is not None or not owners.alive(known.owner, claimed)

    def _start(self, request_id: str, start: Callable[[], T], note: Callable[[T], Mapping[str, Any]]) -> T:
        kept = False
        try:
            made = start()
            self._store.answer(request_id, note(made))
            kept = True
        finally:
            if not kept:
                self._store.forget(request_id)
        return made


def _check(claim: Claim, known: Claim) -> None:
    if known.kind != claim.kind:
        raise RequestReused(claim.id, f"for another kind of request ({known.kind}, now {claim.kind})")
    if known.asked != claim.asked:
        raise RequestReused(claim.id, "for the same kind of request with other values")
