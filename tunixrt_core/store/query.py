"""What is asked of the store and what it answers: plain values, no SQL."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.traces import Trace

T = TypeVar("T")

MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which traces: those that match every filter that is set. `text` are words in prompt, steps or answer."""

    text: str = ""
    source: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """A trace as the store keeps it. `id` is its content hash."""

    id: str
    trace: Trace
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, newest first. `next` is the cursor of the page after it, None on the last."""

    items: tuple[T, ...]
    next: str | None


class InsertCounts(NamedTuple):
    """What became of the traces of an import: `inserted + duplicate` is how many there were."""

    inserted: int
    duplicate: int


class Neighbours(NamedTuple):
    """The traces beside one in a listing that is newest first, as hashes; None at the ends."""

    previous: str | None
    next: str | None


def encode_cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> int:
    """The position in a cursor that `encode_cursor` made. Raises InvalidQuery for anything else."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        word, _, digits = raw.decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        word, digits = "", ""
    if word != "after" or not digits.isdigit() or int(digits) >= 2**63:
        raise InvalidQuery("This page cursor is not one that the listing gave. Begin again at the first page.")
    return int(digits)


def check_limit(limit: int) -> int:
    """The page size, if it is from 1 to 1,000. Raises InvalidQuery."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidQuery(f"limit: {limit} is not from 1 to {MAX_PAGE:,}.")
    return limit
