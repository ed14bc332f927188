"""A trace that is searched itself answers as the search index would."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.sql.search import indexed_text
from tunixrt_core.store.sql.words import has_words, tokens_of
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.trace import Step, Trace

TEXTS = (
    "Alpha beta",
    "alphabet soup",
    "x_1 and don't",
    "3.5 or 35",
    "line\nbreak \t tab",
    "naïve café",
    "NAIVE CAFE",
    "cafe\u0301s",
    "\u212aelvin straße İstanbul",
    "数学 和 μ-law",
    'a "quoted" back\\slash',
    "½ ² Ⅳ",
)
QUERIES = (
    *("alpha", "alph", "ALPHA BETA", "beta alph", "x_1", "don't", "don", "3.5", "35", "break", "nbreak", "naive"),
    *("naïve café", "cafe", "caf", "kelvin", "strasse", "straße", "istanbul", "数学", "数", "μ", "quoted", "slash"),
    *("½", "2", "iv", "Ⅳ", "prompt", "final_answer", "type", "reason", "zzz"),
)


def trace(n: int, text: str, source: str) -> Trace:
    return Trace(f"p{n}", (Step(0, text),), "end", source=source)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder: Path = tmp_path_factory.mktemp("words")
    with open_store(f"sqlite:///{folder / 'store.db'}") as opened:
        opened.traces.insert(trace(n, text, "few") for n, text in enumerate(TEXTS))
        yield opened  # type: ignore[misc]


@pytest.mark.parametrize("text", QUERIES)
def test_words_with_a_rare_source_find_what_the_words_alone_find(store: Store, text: str) -> None:
    alone = store.traces.page(TraceQuery(text=text)).items
    assert store.traces.page(TraceQuery(text=text, source="few")).items == alone
    assert store.traces.count(TraceQuery(text=text, source="few")) == len(alone)


@given(
    st.text(st.sampled_from("ab1 é-_'.\n\\\"Kµ數"), min_size=1, max_size=12), st.sampled_from("ab1éµ數"), st.booleans()
)
def test_has_words_is_what_fts5_says_of_any_text(text: str, word: str, beginning: bool) -> None:
    said = tokens_of(indexed_text(text))
    [token] = tokens_of(word)
    expected = any(one.startswith(token) if beginning else one == token for one in said)
    body = Trace("!", (Step(0, text),) if text.strip() else (), "!").canonical.decode()
    assert has_words(body, orjson.dumps([token]).decode(), int(beginning)) is expected


def test_a_tombstone_has_no_words() -> None:
    assert has_words(None, '["a"]', 0) is False
