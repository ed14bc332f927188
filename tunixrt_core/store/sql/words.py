"""Words of a text as SQLite's search index sees them.

Where a filter leaves few traces, each is asked itself: to seek each of them in the index takes a millisecond or two.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache

import orjson

from tunixrt_core.store.sql.search import indexed_text, text_of_body

# marks are vowels in many scripts, and parts of a word
TOKENIZE = "tokenize=\"unicode61 categories 'L* N* Co M*'\""


@lru_cache(256)
def tokens_of(text: str) -> tuple[str, ...]:
    """The tokens of a text, in order, as FTS5 itself makes them: a query by any other rule would miss some."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE VIRTUAL TABLE query USING fts5(text, {TOKENIZE})")
        connection.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(query, instance)")
        connection.execute("INSERT INTO query VALUES (?)", (text,))
        return tuple(row[0] for row in connection.execute("SELECT term FROM tokens ORDER BY offset"))


def match_words(tokens: Sequence[str], *, beginning: bool) -> str:
    """The query of FTS5 for all of the tokens. `beginning`: the last may be the beginning of a word, as each with a
    `*` behind it may.
    """
    # quoted, so that none is an operator
    quoted = (f'"{token[:-1]}"*' if token.endswith("*") else f'"{token}"' for token in tokens)
    return " ".join(quoted) + ("*" if beginning else "")


def has_words(body: str | None, tokens: str, beginning: int) -> bool:
    """Whether the trace with this canonical JSON has all of the tokens, a JSON list; the answer of the index."""
    if body is None:
        return False
    patterns = _patterns(tokens, bool(beginning))
    if body.isascii():
        # what is not in the JSON is not in the text: ASCII letters and digits are never escaped
        lowered = body.lower()
        if not all(pattern.search(lowered) for pattern in patterns.anywhere):
            return False
    text = text_of_body(body)
    if text.isascii():
        lowered = text.lower()
        return all(pattern.search(lowered) for pattern in patterns.words)
    return _exact.has(indexed_text(text), match_words(orjson.loads(tokens), beginning=bool(beginning)))


class _Patterns:
    """Of tokens in lower-case ASCII text, where a word is a run of letters and digits."""

    def __init__(self, tokens: Sequence[str], beginning: bool) -> None:
        self.anywhere = [re.compile(re.escape(token)) for token in tokens]
        ends = ["(?![0-9a-z])"] * (len(tokens) - 1) + ["" if beginning else "(?![0-9a-z])"]
        self.words = [
            re.compile(f"(?<![0-9a-z]){re.escape(token)}{end}") for token, end in zip(tokens, ends, strict=True)
        ]


@lru_cache(32)
def _patterns(tokens: str, beginning: bool) -> _Patterns:
    return _Patterns(orjson.loads(tokens), beginning)


class _Exact(threading.local):
    """An index of one text, in memory: only FTS5 itself knows how it takes letters beyond ASCII."""

    def __init__(self) -> None:
        self._index = sqlite3.connect(":memory:", isolation_level=None)
        self._index.execute(f"CREATE VIRTUAL TABLE one USING fts5(text, content='', detail=none, {TOKENIZE})")

    def has(self, text: str, query: str) -> bool:
        self._index.execute("INSERT INTO one (rowid, text) VALUES (1, ?)", (text,))
        try:
            return self._index.execute("SELECT 1 FROM one WHERE one MATCH ?", (query,)).fetchone() is not None
        finally:
            self._index.execute("INSERT INTO one (one) VALUES ('delete-all')")


_exact = _Exact()
