"""A store of its own for each test, on SQLite and, where POSTGRES_TEST_URL names a server, on PostgreSQL too.

The server's public schema is dropped for each test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.helpers.databases import empty_database
from tunixrt_core.store.store import Store, open_store

SERVER = os.environ.get("POSTGRES_TEST_URL", "")
needs_server = pytest.mark.skipif(not SERVER, reason="POSTGRES_TEST_URL names no server")


class Clock:
    """Moves one second each time it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def empty_server() -> str:
    """The URL of the server, with nothing in it."""
    engine = create_engine(SERVER.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return SERVER


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'made' / 'store.db'}"


@pytest.fixture
def server_url() -> str:
    return empty_server()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_server)])
def any_url(request: pytest.FixtureRequest, url: str) -> str:
    """Of an empty database, of each kind in turn."""
    return url if request.param == "sqlite" else empty_server()


@pytest.fixture
def store(any_url: str) -> Iterator[Store]:
    if any_url.startswith("sqlite:///"):
        empty_database(Path(any_url.removeprefix("sqlite:///")))
    with open_store(any_url, clock=Clock()) as opened:
        yield opened
