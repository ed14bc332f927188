"""The audit log keeps every entry of every process, in order, and finds them by what they are about."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.errors import InvalidQuery
from tunixrt_core.home.audit import AuditEntry, AuditLog, AuditQuery, Outcome, moment_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def entry(minute: int, who: str = "ana", object: str = "r-0001", outcome: Outcome = "done") -> AuditEntry:
    return AuditEntry(NOON + timedelta(minutes=minute), who, "API", "stop", "run", object, outcome, "why", "10.0.0.9")


def test_entries_come_back_newest_first_as_they_were_and_months_follow_each_other(tmp_path: Path) -> None:
    kept = [entry(0), entry(11 * 60), entry(13 * 60)]
    for one in kept:
        AuditLog(tmp_path / "audit").add(one)
    assert AuditLog(tmp_path / "audit").entries() == kept[::-1]
    assert AuditLog(tmp_path / "audit").entries(limit=2) == kept[:0:-1]
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["2026-11.jsonl", "2026-12.jsonl"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "audit").iterdir()} == {0o600}
    assert AuditLog(tmp_path / "none").entries() == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (AuditQuery(who="ben"), [1]),
        (AuditQuery(object="r-0002"), [2]),
        (AuditQuery(outcome="refused"), [3]),
        (AuditQuery(action="start"), []),
        (AuditQuery(action="stop", who="ana"), [3, 2, 0]),
        (AuditQuery(since=NOON + timedelta(minutes=2)), [3, 2]),
        (AuditQuery(until=NOON.replace(tzinfo=None) + timedelta(minutes=1)), [0]),
    ],
)
def test_entries_are_found_by_what_they_are_about(tmp_path: Path, query: AuditQuery, found: list[int]) -> None:
    kept = [entry(0), entry(1, "ben"), entry(2, object="r-0002"), entry(3, outcome="refused")]
    log = AuditLog(tmp_path)
    for one in kept:
        log.add(one)
    assert log.entries(query) == [kept[number] for number in found]


def test_a_line_that_was_cut_costs_that_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.add(entry(0))
    with (tmp_path / "2026-11.jsonl").open("a") as file:
        file.write('{"at": "2026-11-30T12:\n')
    log.add(entry(1))
    assert log.entries() == [entry(1), entry(0)]


def test_processes_add_whole_lines(tmp_path: Path) -> None:
    work = (
        "import sys; from pathlib import Path; from tests.home.test_audit import *\n"
        "for minute in range(300): AuditLog(Path(sys.argv[1])).add(entry(minute, sys.argv[2] * 3000))"
    )
    both = [subprocess.Popen([sys.executable, "-c", work, str(tmp_path), who], cwd=REPOSITORY) for who in ("a", "b")]
    assert [one.wait(60) for one in both] == [0, 0]
    found = AuditLog(tmp_path).entries(limit=1000)
    assert sorted(one.who[0] for one in found) == ["a"] * 300 + ["b"] * 300


def test_an_entry_that_the_disk_does_not_take_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "audit").write_text("a file in its place")
    with caplog.at_level(logging.ERROR):
        AuditLog(tmp_path / "audit").add(entry(0))
    assert '"object":"r-0001"' in caplog.text


def test_a_moment_is_read_as_people_write_it() -> None:
    assert moment_of("") is None
    assert moment_of("2026-11-30T12:00") == NOON
    assert moment_of("2026-11-30T14:00+02:00") == NOON
    for text, ago in (("90m", {"minutes": 90}), ("12h", {"hours": 12}), ("7d", {"days": 7})):
        assert moment_of(text, NOON) == NOON - timedelta(**ago)
    with pytest.raises(InvalidQuery, match="7d"):
        moment_of("yesterday")
