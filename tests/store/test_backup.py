"""Backups: made while others write, proven before they are trusted, and never at the cost of what is there."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tunixrt_core.errors import Busy, Conflict, OutputError, StoreError
from tunixrt_core.store.backup import restore
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.trace import Step, Trace

MANY = [Trace(f"prompt {n}", (Step(0, f"word {n}"),), "1", source="s") for n in range(500)]


@pytest.fixture
def lite(url: str) -> Store:
    """A SQLite store with 500 traces, one of them deleted."""
    store = open_store(url)
    store.traces.insert(MANY)
    store.traces.delete(MANY[0].content_hash)
    return store


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_backup_is_the_store_as_it_was_and_restores(lite: Store, url: str, tmp_path: Path) -> None:
    copy = lite.backup(tmp_path / "kept" / "b.db")
    assert (copy.traces, copy.bytes) == (499, (tmp_path / "kept" / "b.db").stat().st_size)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["b.db"]
    lite.traces.insert([Trace("after the backup", (), "1")])
    lite.close()
    with pytest.raises(Conflict, match=r"Give --force to replace it"):
        restore(url, copy.path)
    made = restore(url, copy.path, force=True)
    assert (made.traces, made.path) == (499, file_of(url))
    with open_store(url) as store:
        assert store.traces.count(TraceQuery()) == 499
        assert store.traces.count(TraceQuery(text="word 77")) == 1
        assert store.check().problems == ()
    assert made.kept is not None
    with open_store(f"sqlite:///{made.kept}") as before:
        assert before.traces.count(TraceQuery()) == 500


def test_a_backup_while_others_write_is_sound(lite: Store, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            lite.traces.insert([Trace(f"meanwhile {n}", (), "1")])
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [lite.backup(tmp_path / f"{n}.db") for n in range(3)]
    finally:
        stop.set()
        writer.join()
    for copy in copies:
        with open_store(f"sqlite:///{copy.path}") as store:
            health = store.check()
        assert (health.problems, health.traces, health.tombstones) == ((), copy.traces, 1)


def test_a_backup_replaces_no_file(lite: Store, tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        lite.backup(tmp_path / "b.db")
    assert (tmp_path / "b.db").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_what_is_no_backup_is_refused_and_the_store_stays(
    lite: Store, url: str, tmp_path: Path, content: bytes
) -> None:
    lite.close()
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"not a store of Tunix RT, or is damaged"):
        restore(url, tmp_path / "b.db", force=True)
    with pytest.raises(StoreError, match="is missing"):
        restore(url, tmp_path / "missing.db", force=True)
    with open_store(url) as store:
        assert store.traces.count(TraceQuery()) == 499
    assert [path.name for path in file_of(url).parent.iterdir() if "part" in path.name] == []


def test_a_damaged_backup_is_refused(lite: Store, url: str, tmp_path: Path) -> None:
    copy = lite.backup(tmp_path / "b.db")
    lite.close()
    data = bytearray(copy.path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = b"\xff" * 8192
    copy.path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        restore(url, copy.path, force=True)


def test_a_store_in_use_is_not_replaced(lite: Store, url: str, tmp_path: Path) -> None:
    copy = lite.backup(tmp_path / "b.db")
    with pytest.raises(Busy, match=r"is in use\. Stop the dashboard"):
        restore(url, copy.path, force=True)
    assert lite.traces.count(TraceQuery()) == 499
    lite.close()


def test_a_newer_programs_backup_is_refused(lite: Store, url: str, tmp_path: Path) -> None:
    copy = lite.backup(tmp_path / "b.db")
    lite.close()
    with closing(sqlite3.connect(copy.path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer Tunix RT"):
        restore(url, copy.path, force=True)


def test_a_check_names_a_trace_that_is_not_what_its_hash_says(store: Store) -> None:
    store.traces.insert(MANY[:5])
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE traces SET body = replace(body, 'word', 'lie') WHERE id = 3")
        connection.exec_driver_sql("UPDATE trace_tallies SET traces = 7 WHERE kind = 'all'")
    found = "; ".join(store.check().problems)
    assert f"trace {MANY[2].content_hash[:12]} does not have the content that its hash names" in found
    assert "7 traces are tallied, 5 are there" in found
