"""The audit log: one line per action that changed something or was refused."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import msgspec
import orjson

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.files.tails import lines_backwards

log = logging.getLogger(__name__)

Outcome = Literal["begun", "done", "refused", "failed"]
_AGO, _UNITS = re.compile(r"(\d{1,4})([mhd])"), {"m": "minutes", "h": "hours", "d": "days"}
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: when, who, what, and how it went. `why` is the sentence of a refusal or a failure."""

    at: datetime
    who: str
    via: str  # page, API, command or script
    action: str  # start, stop, delete, ...
    kind: str  # of the object: run, trace, ...
    object: str
    outcome: Outcome
    why: str = ""
    address: str = ""  # of the client, of one that came over the network

    def to_dict(self) -> dict[str, str]:
        return {**asdict(self), "at": self.at.isoformat(timespec="microseconds")}


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries to list; an empty value matches all. `since` is included, `until` is not; without a zone in UTC."""

    who: str = ""
    action: str = ""
    object: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: AuditEntry) -> bool:
        return (
            self.who in ("", entry.who)
            and self.action in ("", entry.action)
            and self.object in ("", entry.object)
            and self.outcome in ("", entry.outcome)
            and (self.until is None or entry.at < _aware(self.until))
        )


def moment_of(text: str, now: datetime | None = None) -> datetime | None:
    """A moment as a user writes it: a date, a date and a time, or `90m`, `12h`, `7d` ago; None for an empty text.

    UTC where it names no zone. Raises InvalidQuery.
    """
    if not text:
        return None
    if found := _AGO.fullmatch(text):
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidQuery(f"{text!r} is no moment. Write 2026-11-30, 2026-11-30T12:00, 90m, 12h or 7d.") from None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class AuditLog:
    """A folder with one file per month, to which lines are only ever added. For several processes of a home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, entry: AuditEntry) -> None:
        """Append an entry. One that the disk does not take goes to the log of the server, as nothing waits for it."""
        line = orjson.dumps(entry.to_dict(), option=orjson.OPT_APPEND_NEWLINE)
        try:
            make_private(self._folder)
            file = os.open(self._file_of(entry.at), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # over NFS, two appends are not one after the other by themselves
                os.write(file, line)
            finally:
                os.close(file)
        except OSError as error:
            log.error("The audit log in %s cannot be written (%s): %s", self._folder, error.strerror, line.decode())

    def entries(self, query: AuditQuery = AuditQuery(), *, limit: int = 100) -> list[AuditEntry]:
        """The newest entries that match, newest first. A line that is no entry is passed over."""
        found: list[AuditEntry] = []
        for entry in self._backwards():
            if len(found) == limit or (query.since is not None and entry.at < _aware(query.since)):
                break
            if query.matches(entry):
                found.append(entry)
        return found

    def _backwards(self) -> Iterator[AuditEntry]:
        for path in sorted(self._folder.glob("????-??.jsonl"), reverse=True):
            for line in lines_backwards(path):
                try:
                    yield msgspec.json.decode(line, type=AuditEntry)
                except msgspec.DecodeError:
                    continue

    def _file_of(self, at: datetime) -> Path:
        return self._folder / f"{at.astimezone(UTC):%Y-%m}.jsonl"
