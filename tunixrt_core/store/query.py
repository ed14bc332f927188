"""Queries and results of the store as plain values, without SQL."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.traces.scores import GivenScore, ScoreKind
from tunixrt_core.traces.trace import Trace

T = TypeVar("T")

MAX_PAGE = 1_000
NEWEST = 2**63 - 1  # above every id: where a listing begins
MOST_COUNTED = 10_000  # matches, where they must be counted one by one


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which traces: those that match every filter that is set. `text` are words in prompt, steps or answer.

    `negative` asks for negative examples, as the verdicts of files and people say, or for all others.
    `score` is the name of a score of the trace or of one of its steps, from `min_score` to `max_score`; `score_kind`
    alone asks for any score by people, or by programs. Lengths are
    bytes of the canonical JSON. `after` (included) and `before` (not included) are times of storing, as datetimes or
    ISO 8601. `correct` asks for right or wrong answers; `judged` whether that is known. `group` is a group key, as of
    `Trace.group_key`. Raises InvalidQuery.
    """

    text: str = ""
    source: str | None = None
    model: str | None = None
    tags: tuple[str, ...] = ()  # a trace must have all of them
    correct: bool | None = None
    judged: bool | None = None
    score: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    score_kind: ScoreKind | None = None
    min_steps: int | None = None
    max_steps: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    after: datetime | None = None
    before: datetime | None = None
    noted: bool | None = None
    group: str | None = None
    negative: bool | None = None

    def __post_init__(self) -> None:
        for name in ("after", "before"):
            object.__setattr__(self, name, _moment(name, getattr(self, name)))
        for name in ("min_score", "max_score"):
            if getattr(self, name) is not None and self.score is None:
                raise InvalidQuery(f"{name}: goes with the name of a score in `score`.")

        for name in ("source", "model", "score"):
            _storable(name, getattr(self, name) or "")
        for tag in self.tags:
            _storable("tags", tag)

    def asked(self) -> dict[str, Any]:
        """The filters that are set, by name."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in values if value is not None and value != "" and value != ()}


def _storable(name: str, text: str) -> None:
    """PostgreSQL refuses NUL, and both refuse a lone surrogate, in what they are asked as in what they store."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidQuery(f"{name}: holds a character that no trace can hold.")


def _moment(name: str, value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise InvalidQuery(
            f"{name}: {str(value)[:40]!r} is not a date such as 2026-05-31 or 2026-05-31T10:00."
        ) from None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise InvalidQuery(f"{name}: {str(value)[:40]!r} is before the year 1 or after 9999 in UTC.") from None


class Count(int):
    """A number of traces. Where `exact` is false there are at least that many: counting stopped there."""

    exact: bool

    def __new__(cls, number: int, *, exact: bool = True) -> Count:
        made = super().__new__(cls, number)
        made.exact = exact
        return made

    @property
    def words(self) -> str:
        """The number for a person: `1,234`, or `10,000+` where there are more."""
        return f"{int(self):,}{'' if self.exact else '+'}"


class Growth(NamedTuple):
    """How many there are, and how many of them are new since a moment."""

    total: int
    new: int


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    written_at: datetime

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "written_at": self.written_at.isoformat()}


@dataclass(frozen=True, slots=True)
class StoredScore:
    """A score as the store keeps it. A human one has no version: a person who scores again changes their mind."""

    given: GivenScore
    created_at: datetime

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.given.name,
            "value": self.given.value,
            "step": self.given.step,
            "kind": self.given.kind,
            "scorer": self.given.scorer,
            "version": self.given.version,
            "note": self.given.note,
            "against": self.given.against,
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """A trace as the store keeps it, and what was said about it. `id` is its content hash."""

    id: str
    trace: Trace
    created_at: datetime
    tags: tuple[str, ...] = ()
    note: Note | None = None
    scores: tuple[StoredScore, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "created_at": self.created_at.isoformat(),
            "trace": self.trace.to_dict(),
            "tags": list(self.tags),
            "note": self.note.to_dict() if self.note else None,
            "scores": [score.to_dict() for score in self.scores],
        }


@dataclass(frozen=True, slots=True)
class PromptGroup:
    """All traces of one prompt. `answers` counts the final answers that differ: above 1 the traces disagree."""

    key: str
    prompt: str
    traces: int
    right: int
    wrong: int
    answers: int
    shortest_right: str | None  # the hash of the right trace with the fewest bytes

    @property
    def pass_rate(self) -> float | None:
        """Share of right ones among those that can be told; None where no reference is known."""
        known = self.right + self.wrong
        return self.right / known if known else None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*self.__slots__, "pass_rate")}


@dataclass(frozen=True, slots=True)
class ScoreName:
    """A name that scores go by, with how many there are and their range."""

    name: str
    kind: ScoreKind
    count: int
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, newest first. `next` is the cursor of the page after it, None on the last."""

    items: tuple[T, ...]
    next: str | None


class InsertCounts(NamedTuple):
    """What became of the traces of an import: `inserted + duplicate` is how many there were."""

    inserted: int
    duplicate: int


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
