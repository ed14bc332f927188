"""What a large import leaves behind: the same store as one that was filled trace by trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.exc import IntegrityError

from tunixrt_core.errors import Stopped
from tunixrt_core.store.query import InsertCounts, TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.store.traces import writing
from tunixrt_core.traces.trace import Step, Trace

INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"


def traces(numbers: range) -> Iterator[Trace]:
    return (Trace(f"What is {n} + {n}?", (Step(0, f"word{n}"),), str(2 * n)) for n in numbers)


def indexes(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as reader:
        return reader.execute(INDEXES).fetchall()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few traces make a batch, and few batches a large import."""
    monkeypatch.setattr(writing, "BATCH_ROWS", 4)
    monkeypatch.setattr(writing, "LARGE", 8)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("stored", [0, 3, 30])
def test_a_large_import_keeps_every_index(tmp_path: Path, stored: int) -> None:
    path = tmp_path / "store.db"
    with open_store(f"sqlite:///{path}") as store:
        before = indexes(path)
        store.traces.insert(traces(range(stored)))
        store.traces.insert(traces(range(100, 140)))
        assert indexes(path) == before
        assert store.check().problems == ()


@pytest.mark.usefixtures("small")
def test_indexes_that_were_put_off_are_there_when_a_large_import_is_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    def broken_off() -> Iterator[Trace]:
        yield from traces(range(30))
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT count(*) FROM traces").fetchone() == (0,), "others see the store as it was"
        raise Stopped("import")

    with open_store(f"sqlite:///{path}") as store:
        before = indexes(path)
        with pytest.raises(Stopped):
            store.traces.insert(broken_off())
        assert indexes(path) == before
        assert store.traces.insert(traces(range(30))) == InsertCounts(30, 0)


@pytest.mark.usefixtures("small")
def test_new_and_known_traces_in_any_order_are_told_apart_and_found(store: Store) -> None:
    known = [*traces(range(10))]
    store.traces.insert(known)
    new = [*traces(range(10, 30))]
    mixed = [*new[:6], *known[:5], *new[6:8], known[7], *new[8:], new[0], known[9]]
    assert store.traces.insert(mixed) == InsertCounts(20, 8)
    for n in range(30):
        found = store.traces.page(TraceQuery(text=f"word{n}")).items
        assert [one.trace.final_answer for one in found] == [str(2 * n)]
    assert int(store.traces.count(TraceQuery())) == 30


@pytest.mark.parametrize("rows", [1, 49, 50, 51, 130])
@pytest.mark.parametrize("known", [0, 1, 40])
def test_a_batch_of_any_size_goes_in_whole_and_each_text_finds_its_own_trace(
    store: Store, rows: int, known: int
) -> None:
    store.traces.insert(traces(range(known)))
    new = max(rows - known, 0)
    assert store.traces.insert(traces(range(rows))) == InsertCounts(new, rows - new)
    for n in range(rows):
        found = store.traces.page(TraceQuery(text=f"word{n}")).items
        assert [one.trace.final_answer for one in found] == [str(2 * n)]


def test_a_row_that_breaks_a_rule_of_the_table_undoes_the_whole_import(tmp_path: Path) -> None:
    """Statements keep the rows before the one that fails; the transaction must not."""
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        rows = [writing.flat_row(trace, datetime.now(UTC)) for trace in traces(range(60))]
        rows[30] = rows[30]._replace(created_at=cast(str, None))
        with pytest.raises(IntegrityError), store._database.write() as connection:
            store._database.dialect.insert_traces(connection, rows, [""] * 60)
        assert int(store.traces.count(TraceQuery())) == 0
        assert store.traces.insert(traces(range(60))) == InsertCounts(60, 0)
        assert store.check().problems == ()
