"""Traces in the store: insert, find, page, search, delete."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.conftest import examples
from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import Tally
from tunixrt_core.store.query import TraceQuery, decode_cursor, encode_cursor
from tunixrt_core.store.sql.tables import traces as table
from tunixrt_core.store.store import Store
from tunixrt_core.traces.trace import Step, Trace

GSM8K = Path(__file__).parents[3] / "../shared/data/gsm8k_train.jsonl"
ALL = TraceQuery()


def trace(n: int | str, *steps: str, answer: str = "1", source: str | None = None, model: str | None = None) -> Trace:
    numbered = tuple(Step(i, step) for i, step in enumerate(steps))
    return Trace(f"prompt {n}", numbered, answer, source=source, model=model)


def hashes(store: Store, query: TraceQuery = ALL) -> list[str]:
    return [c.hash for c in store.traces.select(query)]


def test_a_trace_comes_back_as_it_was(store: Store) -> None:
    full = Trace("p\u2028", (Step(0, "s\x85", "plan"),), "a\r\n", {"k": [1.5, None]}, "sys", "ref", "src", "mod")
    assert store.traces.insert([full]) == (1, 0)
    found = store.traces.get(full.content_hash)
    assert found.trace == full
    assert (found.id, found.created_at) == (full.content_hash, datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))


def test_the_stored_text_hashes_to_the_identity(store: Store) -> None:
    store.traces.insert([trace("é", "ü")])
    with store._database.read() as connection:
        ((identity, body),) = connection.execute(select(table.c.hash, table.c.body)).all()
    assert sha256(body.encode()).hexdigest() == identity


def test_importing_twice_changes_nothing(store: Store) -> None:
    many = [trace(n) for n in range(2_500)]
    assert store.traces.insert(many) == (2_500, 0)
    before = hashes(store)
    assert store.traces.insert(many) == (0, 2_500)
    assert hashes(store) == before


def test_a_trace_twice_in_one_import_counts_once_as_duplicate(store: Store) -> None:
    assert store.traces.insert([trace(1), trace(2), trace(1)]) == (2, 1)
    apart = [trace("x"), *(trace(n) for n in range(10, 1_500)), trace("x")]
    assert store.traces.insert(apart) == (1_491, 1)
    assert store.traces.insert([]) == (0, 0)


def test_large_traces_are_stored_in_small_batches(store: Store) -> None:
    assert store.traces.insert(trace(n, "x" * 900_000) for n in range(20)).inserted == 20


def test_a_trace_is_found_by_eight_digits_of_its_hash(store: Store) -> None:
    one = trace(1)
    store.traces.insert([one])
    assert store.traces.get(one.content_hash[:8].upper()).trace == one
    with pytest.raises(NotFound, match="the first 8 or more digits"):
        store.traces.get(one.content_hash[:7])
    with pytest.raises(NotFound, match="the first 8 or more digits"):
        store.traces.get("x" * 8 + "' OR 1=1")
    with pytest.raises(NotFound):
        store.traces.get("0" * 64)


def test_an_ambiguous_start_of_a_hash_asks_for_more_digits(store: Store) -> None:
    store.traces.insert([trace(1)])
    digits = trace(1).content_hash[:8]
    with store._database.write() as connection:
        row = {"hash": digits + "f" * 56, "body": "{}", "created_at": datetime.now(UTC)}
        connection.execute(table.insert().values(row))
    with pytest.raises(InvalidQuery, match="give more digits"):
        store.traces.get(digits)


def test_pages_are_newest_first_and_cover_everything_once(store: Store) -> None:
    store.traces.insert(trace(n) for n in range(25))
    seen: list[str] = []
    after = None
    while True:
        page = store.traces.page(ALL, after=after, limit=10)
        seen += [item.trace.prompt for item in page.items]
        store.traces.insert([trace(f"while paging {len(seen)}")])  # new ones come before the first page
        after = page.next
        if after is None:
            break
    assert seen == [f"prompt {n}" for n in reversed(range(25))]


@pytest.mark.parametrize("cursor", ["", "x", "é", "YWZ0ZXI6", encode_cursor(2**70), "a" * 500])
def test_a_cursor_that_was_not_given_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidQuery, match="page cursor"):
        store.traces.page(ALL, after=cursor)
    assert decode_cursor(encode_cursor(12)) == 12


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_page_size_out_of_range_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(InvalidQuery, match="limit"):
        store.traces.page(ALL, limit=limit)


def test_a_page_can_begin_with_any_trace(store: Store) -> None:
    kept = [trace(n, source="a" if n % 2 else "b") for n in range(6)]
    store.traces.insert(kept)
    ids = [one.content_hash for one in kept]
    here = store.listing.cursor_at(ids[2][:12])
    assert [one.id for one in store.traces.page(ALL, after=here).items] == [ids[2], ids[1], ids[0]]
    assert [one.id for one in store.traces.page(TraceQuery(source="b"), after=here).items] == [ids[2], ids[0]]
    assert [one.id for one in store.traces.page(TraceQuery(source="a"), after=here).items] == [ids[1]]
    with pytest.raises(NotFound):
        store.listing.cursor_at("0" * 64)


def test_filters_narrow_pages_counts_and_selections(store: Store) -> None:
    store.traces.insert([trace(1, source="a", model="m"), trace(2, source="a"), trace(3)])
    assert store.traces.count(TraceQuery(source="a")) == 2
    assert store.traces.count(TraceQuery(source="a", model="m")) == 1
    assert store.traces.count(TraceQuery(source="none")) == 0
    assert store.traces.sources() == [("a", 2)]
    assert store.traces.models() == [("m", 1)]
    assert hashes(store, TraceQuery(model="m")) == [trace(1, source="a", model="m").content_hash]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("clips", ["a"]),
        ("CLIPS april", ["a"]),
        ("clip", ["a"]),  # the last word may be unfinished
        ("a", ["a"]),  # but is not taken for a beginning where it is a word
        ("cli april", []),  # the others may not
        ("café", ["b"]),
        ("cafe", ["b"]),
        ("3.5", ["b"]),
        ("don't", ["b"]),
        ("zweiundsiebzig", ["a"]),
        ("shared", ["b", "a"]),
        ('"clips', ["a"]),
        ("clips AND", []),
        ("NEAR(clips", []),
        ("+ - *", []),
        ("steps: clips", []),
    ],
)
def test_words_are_found_in_prompt_steps_and_answer(store: Store, text: str, found: list[str]) -> None:
    store.traces.insert(
        [
            trace("a", "sold clips in April", "shared", answer="zweiundsiebzig"),
            trace("b", "at the Café", "don't pay 3.5 dollars", answer="shared"),
        ]
    )
    page = store.traces.page(TraceQuery(text=text))
    assert [item.trace.prompt for item in page.items] == [f"prompt {name}" for name in found]
    assert store.traces.count(TraceQuery(text=text)) == len(found)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text("\"*^:(){}+-. aORNT'", max_size=12)
)
def test_nothing_that_is_typed_is_a_syntax_error(store: Store, text: str) -> None:
    store.traces.page(TraceQuery(text=text), limit=1)


def test_search_pages_by_id_too(store: Store) -> None:
    store.traces.insert(trace(n, "word", source="s") for n in range(25))
    query = TraceQuery(text="word", source="s")
    first = store.traces.page(query, limit=20)
    rest = store.traces.page(query, after=first.next, limit=20)
    assert [item.trace.prompt for item in (*first.items, *rest.items)] == [f"prompt {n}" for n in reversed(range(25))]
    assert rest.next is None
    assert len(hashes(store, query)) == 25


def test_a_deleted_trace_leaves_a_tombstone_without_content(store: Store) -> None:
    gone, kept = trace("gone", "secret", source="s"), trace("kept", source="s")
    store.traces.insert([gone, kept])
    assert store.traces.delete(gone.content_hash[:10]) == gone.content_hash
    with pytest.raises(NotFound, match="It was deleted on 2026-01-01"):
        store.traces.get(gone.content_hash)
    with pytest.raises(NotFound, match="deleted"):
        store.traces.delete(gone.content_hash)
    assert hashes(store) == [kept.content_hash]
    assert store.traces.count(TraceQuery(text="secret")) == 0
    assert store.traces.sources() == [("s", 1)]
    with store._database.read() as connection:
        row = connection.execute(select(table).where(table.c.hash == gone.content_hash)).one()
    assert (row.body, row.group_key, row.source) == (None, None, None)
    assert row.created_at < row.deleted_at


def test_a_deleted_trace_that_comes_again_is_new_and_found(store: Store) -> None:
    one, other = trace(1, "secret"), trace(2)
    store.traces.insert([one, other])
    store.traces.delete(one.content_hash)
    assert store.traces.insert([one, other, one]) == (1, 2)
    assert hashes(store) == [one.content_hash, other.content_hash]
    assert store.traces.count(TraceQuery(text="secret")) == 1
    store.traces.delete(one.content_hash)
    assert store.traces.count(TraceQuery(text="secret")) == 0


def test_by_hashes_keeps_the_order_and_streams(store: Store) -> None:
    many = [trace(n) for n in range(700)]
    store.traces.insert(many)
    wanted = [one.content_hash for one in reversed(many)]
    assert [t.content_hash for t in store.traces.by_hashes(wanted)] == wanted

    asked = 0

    def counted() -> object:
        nonlocal asked
        for one in wanted:
            asked += 1
            yield one

    next(store.traces.by_hashes(counted()))  # type: ignore[arg-type]
    assert asked < 300


def test_by_hashes_tells_what_is_missing(store: Store) -> None:
    many = [trace(n) for n in range(3)]
    store.traces.insert(many)
    wanted = [one.content_hash for one in many]
    store.traces.delete(wanted[1])
    missing: list[str] = []
    assert list(store.traces.by_hashes(wanted, on_missing=missing.append)) == [many[0], many[2]]
    assert missing == [wanted[1]]
    with pytest.raises(NotFound, match="deleted, or never imported"):
        list(store.traces.by_hashes(wanted))


def test_a_reader_sees_the_last_commit_during_an_import(store: Store) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def slow() -> object:
        for n in range(1_500):
            if n == 1_200:
                reached.set()
                go_on.wait(10)
            yield trace(n)

    importing = threading.Thread(target=lambda: store.traces.insert(slow()))  # type: ignore[arg-type]
    importing.start()
    assert reached.wait(10)
    assert store.traces.count(ALL) == 0
    go_on.set()
    importing.join()
    assert store.traces.count(ALL) == 1_500


_ROWS = st.sampled_from(
    [
        b'{"prompt":"a","steps":["s"],"final_answer":"1"}',
        b'{"prompt":"b","steps":["s"],"final_answer":"1"}',
        b'{"prompt":"b","steps":["s"]}',
        b'{"prompt":"b","steps":["s"],"final_answer":NaN}',
        b"",
        b"[1]",
        b"{",
    ]
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_ROWS | st.binary(max_size=30), max_size=12))
def test_read_is_always_inserted_plus_duplicate_plus_rejected(store: Store, tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "fuzz.jsonl"
    # a first byte like this one's makes it a file of lines, whatever follows
    path.write_bytes(b'{"prompt":"a","steps":["s"],"final_answer":"1"}\n' + b"\n".join(lines))
    reader = read_traces(path, name="fuzz", format="trace")
    tally = Tally("fuzz", reader.format)
    counts = store.traces.insert(tally.traces(reader))
    report = tally.report(inserted=counts.inserted, duplicate=counts.duplicate, seconds=0.0)
    assert report.balanced
    assert report.read == len([line for line in path.read_bytes().split(b"\n") if line.strip(b"\r").strip()])


@pytest.mark.skipif(not GSM8K.exists(), reason="the GSM8K file is not here")
def test_gsm8k_goes_in_once(store: Store) -> None:
    assert store.traces.insert(t for t in read_traces(GSM8K, name="g") if isinstance(t, Trace)) == (7_473, 0)
    assert store.traces.insert(t for t in read_traces(GSM8K, name="g") if isinstance(t, Trace)) == (0, 7_473)
    assert store.traces.sources() == [("gsm8k", 7_473)]
