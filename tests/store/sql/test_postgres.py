"""What is PostgreSQL's alone. Every other test of the store runs on it too, where POSTGRES_TEST_URL names a server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.store.conftest import needs_server
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import freeze
from tunixrt_core.errors import StoreError
from tunixrt_core.export.formats import export_tunix_sft_jsonl
from tunixrt_core.store.backup import restore
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Step, Trace

TRACES = [
    Trace(f"p{n}", (Step(0, f"clips\nsold in\u2028April\t{n} \\N"),), "1", source="s", reference_answer="1")
    for n in range(1_200)
]


@needs_server
def test_a_version_and_its_export_are_those_that_sqlite_makes(server_url: str, url: str) -> None:
    spec, made = DatasetSpec("d", selection="random", limit=70), []
    for one in (server_url, url):
        with open_store(one) as store:
            store.traces.insert(TRACES)
            rows = build_dataset(spec, store.traces.select(TraceQuery()))
            version = freeze(spec, rows, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            store.datasets.add(version, rows)
            kept = tuple(store.datasets.rows("d"))
            lines = b"".join(export_tunix_sft_jsonl(store.traces.by_hashes(row.hash for row in kept)))
            made.append((store.datasets.get("d"), kept, lines))
    assert made[0] == made[1]


@needs_server
def test_imports_of_the_same_traces_at_once_store_each_once(server_url: str) -> None:
    with open_store(server_url) as one, open_store(server_url) as other:
        counts: list[int] = []
        threads = [
            threading.Thread(target=lambda store=store: counts.append(store.traces.insert(TRACES).inserted))
            for store in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) == 1_200
        assert one.traces.count(TraceQuery()) == 1_200
        assert one.check().problems == ()


@needs_server
def test_backup_and_restore_name_the_servers_own_tools(server_url: str, tmp_path: Path) -> None:
    with open_store(server_url) as store, pytest.raises(StoreError, match="pg_dump"):
        store.backup(tmp_path / "b.db")
    assert list(tmp_path.glob("*b.db*")) == []
    (tmp_path / "b.db").write_bytes(b"")
    with pytest.raises(StoreError, match="pg_restore"):
        restore(server_url, tmp_path / "b.db")


def test_a_server_that_is_not_there_is_a_sentence_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match="did not answer") as caught:
        open_store("postgresql://someone:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
