"""Plain reading of a SQLite file, by the driver alone."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tunixrt_core.errors import StoreError
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import SQLiteFile, among
from tunixrt_core.store.store import open_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of an existing store."""
    made = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(made).close()
    return made


def test_a_reader_sees_one_moment_and_cannot_write(url: str) -> None:
    database = Database(url)
    with database.reading() as reader:
        assert reader.rows("SELECT count(*) AS n FROM requests") == [{"n": 0}]
        with Database(url).write() as connection:
            connection.exec_driver_sql("INSERT INTO requests VALUES ('a', 'run', '', '', NULL, '2026-01-01')")
        assert reader.rows("SELECT count(*) AS n FROM requests") == [{"n": 0}]
    with database.reading() as reader:
        assert reader.rows("SELECT count(*) AS n FROM requests") == [{"n": 1}]
    with pytest.raises(StoreError, match="cannot be written"), database.reading() as reader:
        reader.rows("DELETE FROM requests")
    with database.reading() as reader:
        assert reader.rows("SELECT id FROM requests") == [{"id": "a"}], "a reader after one that failed"
    database.close()


def test_a_wrong_statement_is_no_fault_of_the_database(url: str) -> None:
    file = SQLiteFile.of(url)
    assert file is not None
    with pytest.raises(sqlite3.ProgrammingError), file.reading() as reader:
        reader.rows("SELECT :missing")


def test_many_threads_read_at_once(url: str) -> None:
    database = Database(url)

    def version(_: int) -> object:
        with database.reading() as reader:
            return reader.rows("SELECT version_num FROM alembic_version")

    with ThreadPoolExecutor(8) as pool:
        assert len({str(found) for found in pool.map(version, range(200))}) == 1
    database.close()


@pytest.mark.parametrize("options", ["?timeout=5", "?check_same_thread=false"])
def test_a_url_with_options_is_read_by_sqlalchemy(url: str, options: str) -> None:
    assert SQLiteFile.of(url + options) is None
    with Database(url + options).reading() as reader:
        assert reader.has_table("traces")
        assert not reader.has_table("none")


def test_values_that_a_column_is_among_have_names(url: str) -> None:
    with Database(url).reading() as reader:
        for values, found in (((1, 3), [1, 3]), ((), [])):
            places, named = among(values)
            rows = reader.rows(
                f"SELECT n FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) WHERE n IN {places}", **named
            )
            assert [row["n"] for row in rows] == found
