"""Words are found in every script, on both databases."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.sql.search import indexed_text, search_words
from tunixrt_core.store.store import Store
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Step, Trace

TEXTS = {
    "chinese": "图书馆里有二百本书，周一借走了三十五本，还剩多少本？",
    "other chinese": "书店卖出十二支铅笔，每支两元。",
    "japanese": "図書館には本が二百冊あります。月曜日にカードで借りた本は何冊ですか。",
    "korean": "도서관에는 책이 이백 권 있습니다. 월요일에 서른다섯 권을 빌려 갔습니다.",
    "thai": "ห้องสมุดมีหนังสือสองร้อยเล่ม วันจันทร์มีคนยืมไปสามสิบห้าเล่ม",
    "khmer": "បណ្ណាល័យ\u200bមាន\u200bសៀវភៅ\u200bពីររយ\u200bក្បាល",
    "hindi": "पुस्तकालय में दो सौ किताबें हैं",
    "mixed": "GPU显存不足时用LoRA微调3B模型",
    "far": "\U00020b9f\U00020bb7屋",
}
QUERIES = {
    "书": {"chinese", "other chinese"},
    "图书馆": {"chinese"},
    "图书": {"chinese"},
    "书馆里有": {"chinese"},
    "多少本书": set(),  # its pairs are all in the text, but not one after the other
    "図書館": {"japanese"},
    "図書館 カード": {"japanese"},
    "カー": {"japanese"},
    "도서관": {"korean"},
    "도서관에는": {"korean"},
    "서관": {"korean"},
    "책 이백": {"korean"},
    "책 삼백": set(),
    "หนังสือ": {"thai"},
    "ห้องสมุดมีหนังสือ": {"thai"},
    "หนังสอ": set(),
    "សៀវភៅ": {"khmer"},
    "មានសៀវភៅ": {"khmer"},
    "किताबें": {"hindi"},
    "किताब": {"hindi"},  # the beginning of a word
    "微调": {"mixed"},
    "LoRA微调3B": {"mixed"},
    "微调 lor": {"mixed"},
    "gpu": {"mixed"},
    "3b": {"mixed"},
    "\U00020bb7屋": {"far"},
}


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
    found = search_words(text)
    assert [*found.spaced, *found.pairs] == words


@pytest.fixture
def told(store: Store) -> Store:
    store.traces.insert(Trace(f"p {text}", (Step(0, "so"),), "1", source=name) for name, text in TEXTS.items())
    return store


def test_words_of_scripts_without_spaces_are_found(told: Store) -> None:
    found = {query: {item.trace.source for item in told.traces.page(TraceQuery(text=query)).items} for query in QUERIES}
    assert found == QUERIES


def test_a_trace_that_is_asked_itself_says_what_the_index_says(told: Store) -> None:
    for query, sources in QUERIES.items():
        for source in TEXTS:
            # a rare source leads, and its traces are searched for the words
            assert told.traces.count(TraceQuery(text=query, source=source)) == (source in sources), (query, source)


def test_a_deleted_trace_leaves_the_index(told: Store) -> None:
    for item in told.traces.page(TraceQuery(text="书")).items:
        told.traces.delete(item.trace.content_hash)
    assert told.traces.count(TraceQuery(text="书")) == 0
    assert told.check().problems == ()
    with told._database.read() as connection:
        if connection.dialect.name == "sqlite":
            left = "SELECT count(*) FROM trace_search WHERE trace_search MATCH '\"图书\"'"
            assert connection.exec_driver_sql(left).scalar() == 0


def test_words_of_earlier_turns_and_of_results_are_found(store: Store) -> None:
    talk = Conversation(
        messages=(Message("user", "I like marzipan."), Message("assistant", "图书馆")),
        turns=(Message("assistant", calls=(Call("bakery"),)), Message("tool", "closed")),
    )
    trace = Trace("Where to?", (), "nowhere", conversation=talk)
    store.traces.insert([trace, Trace("Where to?", (), "home")])
    for word in ("marzipan", "图书", "closed"):
        assert [item.id for item in store.traces.page(TraceQuery(text=word)).items] == [trace.content_hash], word


def test_soft_hyphens_and_joiners_hide_no_word(store: Store) -> None:
    store.traces.insert([Trace("the photo\u00adgraph of a ca\u200bmera", (), "1")])
    assert store.traces.count(TraceQuery(text="photograph camera")) == 1
    assert store.traces.count(TraceQuery(text="photo\u00adgraph")) == 1


@given(st.text(st.sampled_from("天地人かนี가ab1 ,\u200b"), max_size=12))
def test_the_index_holds_every_pair_and_each_end_of_a_run(text: str) -> None:
    runs = re.findall("[天地人かนี가]+", text.replace("\u200b", ""))
    held = indexed_text(text).replace("\u200b", "").split()
    for run in runs:
        assert {run[0], run[-1], *(run[i : i + 2] for i in range(len(run) - 1))} <= set(held)
    assert indexed_text("plain – text") == "plain – text"
