"""What differs between the database systems. The PostgreSQL server itself is in test_postgres."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from tunixrt_core.store.sql.dialects import search_words
from tunixrt_core.store.sql.pools import dialect_of
from tunixrt_core.store.sql.postgres import PostgreSQL
from tunixrt_core.store.sql.sqlite import SQLite
from tunixrt_core.store.sql.tables import traces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two words", ["two", "words"]),
        ("don't 3.5 a/b x_1 e-mail", ["don't", "3.5", "a/b", "x_1", "e-mail"]),
        ('a"b NEAR(c*) -d ^e :f', ["a", "b", "NEAR", "c", "d", "e", "f"]),
        ("größe 数学 \0 \ud800", ["größe", "数学"]),
        (" +-*/ ", []),
    ],
)
def test_only_words_are_left_of_what_is_typed(text: str, words: list[str]) -> None:
    assert search_words(text) == words


def test_the_backend_name_chooses_the_dialect() -> None:
    assert isinstance(dialect_of("sqlite"), SQLite)
    assert isinstance(dialect_of("postgresql"), PostgreSQL)


def test_postgresql_searches_by_the_expression_that_is_indexed() -> None:
    query, key = PostgreSQL().matching(select(traces.c.hash), "don't stop")
    compiled = query.compile(dialect=postgresql.dialect())
    assert "trace_words(traces.body) @@ to_tsquery" in str(compiled)
    assert "'don''t' & 'stop':*" in compiled.params.values()
    assert key is traces.c.id
    nothing, _ = PostgreSQL().matching(select(traces.c.hash), "+")
    assert "false" in str(nothing.compile(dialect=postgresql.dialect()))
