"""What differs between the database systems. The PostgreSQL server itself is in test_postgres."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from tunixrt_core.store.sql.pools import dialect_of
from tunixrt_core.store.sql.postgres import PostgreSQL
from tunixrt_core.store.sql.sqlite import SQLite
from tunixrt_core.store.sql.tables import traces


def test_the_backend_name_chooses_the_dialect() -> None:
    assert isinstance(dialect_of("sqlite"), SQLite)
    assert isinstance(dialect_of("postgresql"), PostgreSQL)


def test_postgresql_searches_by_the_expression_that_is_indexed() -> None:
    query, key = PostgreSQL().matching(select(traces.c.hash), "don't stop")
    compiled = query.compile(dialect=postgresql.dialect())
    assert "trace_words(traces.body) @@ to_tsquery" in str(compiled)
    assert "'don''t' & 'stop':*" in compiled.params.values()
    assert key is traces.c.id
    pairs, _ = PostgreSQL().matching(select(traces.c.hash), "stop 数学")
    assert "'数学' & 'stop'" in pairs.compile(dialect=postgresql.dialect()).params.values()
    nothing, _ = PostgreSQL().matching(select(traces.c.hash), "+")
    assert "false" in str(nothing.compile(dialect=postgresql.dialect()))
