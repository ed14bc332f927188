"""The same dataset version is the same bytes from every database, whatever else happened to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine

from tests.store.conftest import needs_server
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import freeze
from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.export.files import FileType, encoded
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.writers import Job
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace

TRACES = [
    Trace(
        f"Größe {n % 70}?",
        (Step(0, f"a\u2028b\n{n}"), Step(1, "so", "plan")),
        str(n % 3),
        meta={"n": n},
        reference_answer="1",
        system="Short." if n % 5 == 0 else None,
    )
    for n in range(300)
]
SCORED = [GivenScore(name="s", value=float(step), step=step, scorer="x", version="1") for step in (0, 1)]


def fill(store: Store, traces: list[Trace]) -> None:
    store.traces.insert(traces)
    rows = build_dataset(DatasetSpec("d"), store.traces.select(TraceQuery()))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    store.datasets.add(freeze(DatasetSpec("d"), rows, version=1, parent=None, created_at=moment), rows)


def exports(store: Store) -> dict[tuple[str, str], bytes]:
    """Every format in every file type."""
    made = {}
    for name, format in EXPORT_FORMATS.items():
        for kind in FileType:
            bodies = store.datasets.bodies("d", 1, by_prompt=format.grouped)
            entries = (Entry(one, body, split) for one, body, split in bodies if body is not None)
            lines = format.lines(entries, Job(scores_of=lambda trace_hash: SCORED))
            made[name, kind.value] = b"".join(encoded(lines, kind, format.columns_with(ExportOptions())))
    return made


@needs_server
def test_sqlite_and_postgresql_give_the_same_bytes(url: str, server_url: str) -> None:
    with open_store(url) as store, open_store(server_url) as server:
        fill(store, TRACES)
        fill(server, TRACES[::-1])
        assert exports(store) == exports(server)


def test_the_order_of_import_a_vacuum_and_other_versions_change_no_byte(tmp_path: Path, store: Store) -> None:
    fill(store, TRACES)
    first = exports(store)
    path = tmp_path / "other.db"
    with open_store(f"sqlite:///{path}") as other:
        other.traces.insert([Trace(f"other {n}", (), "1") for n in range(50)])
        for trace in list(other.traces.page(TraceQuery(), limit=50).items):
            other.traces.delete(trace.id)
        fill(other, TRACES[::-1])
        engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")
        engine.dispose()
        assert exports(other) == first


def test_the_rows_of_a_version_come_with_their_traces_in_its_order(store: Store) -> None:
    fill(store, TRACES)
    gone = TRACES[7].content_hash
    store.traces.delete(gone)
    found = list(store.datasets.bodies("d"))
    assert [(one, split) for one, _, split in found] == [tuple(row) for row in store.datasets.rows("d")]
    assert [one for one, body, _ in found if body is None] == [gone]
    grouped = [
        Trace.from_canonical(body.encode()).group_key
        for _, body, _ in store.datasets.bodies("d", by_prompt=True)
        if body
    ]
    assert grouped == sorted(grouped)
