"""Opening a store: made where it is missing, fast where it is there, sentences where it cannot be."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunixrt_core.errors import StoreError
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Trace

REPOSITORY = Path(__file__).parents[2]


def trace(n: int | str) -> Trace:
    return Trace(f"prompt {n}", (), "1")


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_a_missing_database_is_made_with_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.db"
    with open_store(f"sqlite:///{path}") as store:
        assert store.traces.count(TraceQuery()) == 0
    assert execute(path, "PRAGMA journal_mode") == [("wal",)]


def test_what_was_stored_is_there_at_the_next_opening_without_alembic(url: str) -> None:
    with open_store(url) as store:
        store.traces.insert([trace(1)])
    script = (
        "import sys; from tunixrt_core.store.store import open_store; from tunixrt_core.store.query import TraceQuery;"
        f"print(open_store({url!r}).traces.count(TraceQuery()), 'alembic' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert out.stdout == "1 False\n"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "The database URL cannot be read"),
        ("mysql://x/y", "The database mysql is not supported"),
        ("sqlite://", "in memory cannot be shared"),
        ("sqlite:///:memory:", "in memory cannot be shared"),
    ],
)
def test_an_url_that_cannot_be_used_is_a_sentence(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        open_store(url)


def test_a_place_that_cannot_be_a_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "text.db").write_bytes(b"not a database at all, but long enough for a header" * 10)
    with pytest.raises(StoreError, match=r"directory .*/file for the database cannot be made .*TUNIXRT_HOME"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    with pytest.raises(StoreError, match=r"cannot be opened\. Check that its directory exists"):
        open_store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match=r"is not a SQLite database\. Move that file away"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}")
    assert (tmp_path / "text.db").read_bytes().startswith(b"not a database")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    execute(tmp_path / "x.db", "CREATE TABLE traces (mine)")
    with pytest.raises(StoreError, match="belongs to another program"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}")
    assert execute(tmp_path / "x.db", "SELECT name FROM sqlite_master") == [("traces",)]


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    open_store(url).close()
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer Tunix RT \(schema 9999; this one knows"):
        open_store(url)
    assert execute(path, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_database_without_write_permission_is_a_sentence(url: str) -> None:
    open_store(url).close()
    path = Path(url.removeprefix("sqlite:///"))
    path.chmod(0o400)
    with open_store(url) as store, pytest.raises(StoreError, match="Fix the permissions"):
        store.traces.insert([trace(1)])


def test_a_full_disk_is_a_sentence_and_keeps_nothing(url: str) -> None:
    with open_store(url) as store:
        store.traces.insert([trace(1)])
        with store._database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 60")
        with pytest.raises(StoreError, match=r"nothing of this change was kept\. The disk of .* is full: "):
            store.traces.insert(trace("x" * 100_000 + str(n)) for n in range(100))
        assert store.traces.count(TraceQuery()) == 1


def test_two_programs_that_open_a_new_database_at_once_both_work(url: str) -> None:
    script = f"from tunixrt_core.store.store import open_store; open_store({url!r}).close()"
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]


def test_writers_in_many_threads_all_succeed_while_readers_read(url: str) -> None:
    failures: list[BaseException] = []

    def write(who: int) -> None:
        try:
            for n in range(20):
                store.traces.insert([trace(f"{who} {n}")])
                store.traces.count(TraceQuery())
        except StoreError as error:
            failures.append(error)

    with open_store(url) as store, open_store(url) as other:
        threads = [threading.Thread(target=write, args=(who,)) for who in range(6)]
        for thread in threads:
            thread.start()
        for n in range(20):
            other.traces.insert([trace(f"other {n}")])
        for thread in threads:
            thread.join()
        assert not failures
        assert store.traces.count(TraceQuery()) == 7 * 20


_IMPORT_SLOWLY = """
import sys, time
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Trace

def many():
    for n in range(10**9):
        if n == 5_000:
            print("under way", flush=True)
        yield Trace(f"prompt {n}", (), "1")

open_store(sys.argv[1]).traces.insert(many())
"""


@pytest.mark.parametrize("wait", [0.0, 0.15])
def test_kill_9_in_mid_import_leaves_no_rows_and_a_sound_database(url: str, wait: float) -> None:
    with open_store(url) as store:
        store.traces.insert([trace("before")])
    importing = subprocess.Popen(
        [sys.executable, "-c", _IMPORT_SLOWLY, url], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert importing.stdout is not None
    assert importing.stdout.readline() == "under way\n"
    threading.Event().wait(wait)
    importing.send_signal(signal.SIGKILL)
    importing.wait(30)
    importing.stdout.close()
    with open_store(url) as store:
        assert store.traces.count(TraceQuery()) == 1
        assert store.traces.insert(trace(n) for n in range(10)).inserted == 10
    assert execute(Path(url.removeprefix("sqlite:///")), "PRAGMA integrity_check") == [("ok",)]


def test_an_import_that_fails_keeps_nothing_and_the_next_one_works(url: str) -> None:
    def broken() -> Iterator[Trace]:
        for n in range(2_500):
            yield trace(n)
        raise RuntimeError("the file broke off")

    with open_store(url) as store:
        with pytest.raises(RuntimeError):
            store.traces.insert(broken())
        assert store.traces.count(TraceQuery()) == 0
        assert store.traces.count(TraceQuery(text="prompt")) == 0
        assert store.traces.insert([trace(1)]).inserted == 1
