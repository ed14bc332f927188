"""The same promises on PostgreSQL, where POSTGRES_TEST_URL names a server (whose public schema is dropped)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine

from tunixrt_core.datasets import DatasetSpec, build_dataset, freeze
from tunixrt_core.errors import StoreError
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces import Step, Trace

URL = os.environ.get("POSTGRES_TEST_URL", "")
TRACES = [Trace(f"p{n}", (Step(0, f"clips\nsold in\u2028April {n}"),), "1", source="s") for n in range(1_200)]

needs_server = pytest.mark.skipif(not URL, reason="POSTGRES_TEST_URL names no server")


@pytest.fixture
def server() -> Iterator[Store]:
    engine = create_engine(URL.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    with open_store(URL) as store:
        yield store


@needs_server
def test_traces_go_in_once_and_are_found(server: Store) -> None:
    assert server.traces.insert(TRACES) == (1_200, 0)
    assert server.traces.insert([*TRACES, TRACES[0]]) == (0, 1_201)
    assert server.traces.count(TraceQuery(text="clips sold apr", source="s")) == 1_200
    page = server.traces.page(TraceQuery(text="april"), limit=1_000)
    assert len(server.traces.page(TraceQuery(text="april"), after=page.next).items) == 50
    for text in ("'", ":* & |", "don't", "+"):
        assert server.traces.count(TraceQuery(text=text)) == 0


@needs_server
def test_a_deleted_trace_comes_back_as_new(server: Store) -> None:
    server.traces.insert(TRACES[:3])
    server.traces.delete(TRACES[0].content_hash)
    assert server.traces.count(TraceQuery(text="clips")) == 2
    assert server.traces.insert(TRACES[:3]) == (1, 2)


@needs_server
def test_a_version_is_the_one_that_sqlite_makes(server: Store, store: Store) -> None:
    spec, made = DatasetSpec("d", selection="random", limit=70), []
    for one in (server, store):
        one.traces.insert(TRACES)
        rows = build_dataset(spec, one.traces.select(TraceQuery()))
        version = freeze(spec, rows, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        one.datasets.add(version, rows)
        made.append((one.datasets.get("d"), tuple(one.datasets.rows("d"))))
    assert made[0] == made[1]


@needs_server
def test_a_server_that_is_not_there_is_a_sentence_without_the_password() -> None:
    with pytest.raises(StoreError, match="did not answer") as caught:
        open_store("postgresql://someone:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
