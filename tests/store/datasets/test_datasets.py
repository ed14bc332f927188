"""Dataset versions in the store, and the same bytes from every database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.datasets.rows import DatasetRow
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion, freeze
from tunixrt_core.errors import Busy, NotFound
from tunixrt_core.export.files import write_export
from tunixrt_core.export.formats import export_tunix_sft_jsonl
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.chat_messages import NO_PARTS, ChatParts
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.scores import GivenScore, ScoreKind
from tunixrt_core.traces.trace import Step, Trace

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ROWS = (DatasetRow("a" * 64, "train"), DatasetRow("b" * 64, "eval"), DatasetRow("c" * 64, "train"))


def version(number: int = 1, name: str = "d", rows: Sequence[DatasetRow] = ROWS) -> DatasetVersion:
    spec = DatasetSpec(name, source="s", selection="random", limit=9, seed=3)
    return freeze(spec, rows, version=number, parent=number - 1 or None, created_at=WHEN)


def test_a_version_comes_back_as_it_was_with_its_rows_in_order(store: Store) -> None:
    store.datasets.add(version(), ROWS)
    assert store.datasets.get("d") == store.datasets.get("d", 1) == version()
    assert tuple(store.datasets.rows("d", 1)) == ROWS
    assert list(store.datasets.rows("d", 1, "train")) == [ROWS[0], ROWS[2]]
    assert list(store.datasets.rows("d", split="eval")) == [ROWS[1]]


def test_a_score_is_the_mean_of_people_and_without_them_of_programs(store: Store) -> None:
    both, programs, step = (Trace(f"{n}?", (Step(0, "so"),), str(n)) for n in range(3))
    store.traces.insert([both, programs, step])

    def score(trace: Trace, value: float, scorer: str, kind: ScoreKind, at: int | None = None) -> None:
        given = GivenScore(name="quality", value=value, step=at, scorer=scorer, version="", kind=kind)
        store.curation.score(trace.content_hash, [given])

    score(both, 9.0, "p", "automatic")
    score(both, 1.0, "ana", "human")
    score(both, 2.0, "ben", "human")
    score(programs, 4.0, "p", "automatic")
    score(step, 5.0, "ana", "human", 0)
    assert dict(store.datasets.scores("quality")) == {both.content_hash: 1.5, programs.content_hash: 4.0}
    assert list(store.datasets.scores("other")) == []


def test_the_latest_version_is_the_one_without_a_number(store: Store) -> None:
    for number in (1, 2, 3):
        store.datasets.add(version(number), ROWS)
    store.datasets.add(version(1, "other"), ROWS)
    assert store.datasets.get("d").version == store.datasets.latest_number("d") == 3
    assert [(v.name, v.version) for v in store.datasets.list()] == [("other", 1), ("d", 3), ("d", 2), ("d", 1)]
    assert [v.version for v in store.datasets.list("d")] == [3, 2, 1]
    assert store.datasets.latest_number("none") is None
    assert store.datasets.list("none") == []


def test_a_version_is_found_by_its_content(store: Store) -> None:
    store.datasets.add(version(), ROWS)
    assert store.datasets.find("d", version().content_hash) == version()
    assert store.datasets.find("d", "0" * 64) is None


def test_a_number_that_is_taken_is_a_conflict_and_changes_nothing(store: Store) -> None:
    store.datasets.add(version(), ROWS)
    with pytest.raises(Busy, match="has a version 1 already"):
        store.datasets.add(version(rows=ROWS[:1]), ROWS[:1])
    assert tuple(store.datasets.rows("d", 1)) == ROWS


def test_a_version_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match="no dataset 'd'"):
        store.datasets.get("d")
    store.datasets.add(version(), ROWS)
    with pytest.raises(NotFound, match="no dataset 'd v2'"):
        list(store.datasets.rows("d", 2))


def test_many_rows_stream(store: Store) -> None:
    many = [DatasetRow(f"{n:064x}", "train") for n in range(12_000)]
    store.datasets.add(version(rows=many), many)
    assert list(store.datasets.rows("d")) == many


def test_the_same_traces_give_the_same_version_and_bytes_on_every_database(tmp_path: Path) -> None:
    traces = [
        Trace(f"p{n % 40}", (Step(0, f"s\u2028{n}"),), str(n), {"n": n}, source="a" if n % 3 else None)
        for n in range(90)
    ]
    made = []
    for name, files in (("one", [traces[:50], traces[50:]]), ("two", [traces[50:], traces[:50], traces])):
        with open_store(f"sqlite:///{tmp_path / name}.db") as store:
            for file in files:
                store.traces.insert(file)
            spec = DatasetSpec("d", selection="random", limit=60, dedupe="prompt", eval_share=0.2)
            rows = build_dataset(spec, store.traces.select(TraceQuery()))
            store.datasets.add(freeze(spec, rows, version=1, parent=None, created_at=WHEN), rows)
            for again in range(2):
                splits = dict(store.datasets.rows("d", 1))
                found = store.traces.by_hashes(splits)
                lines = export_tunix_sft_jsonl(found, split_of=lambda trace, s=splits: s[trace.content_hash])
                info = write_export(lines, tmp_path / f"{name}{again}.jsonl")
                made.append((store.datasets.get("d").content_hash, info.sha256, info.rows))
    assert len(set(made)) == 1
    assert made[0][2] == 40


def test_what_gates_found_comes_back_in_order_and_in_pages(store: Store) -> None:
    outcome = GateOutcome("answer", 1, "warn", {"seconds": 5.0}, 3, {"right": 1, "wrong": 2}, 2, {"note": "n"})
    found = [Finding("a" * 64, "wrong", {"field": "final_answer"}), Finding("b" * 64, "timeout", {})]
    store.datasets.add(version(), ROWS, [outcome], {"answer": found})
    assert store.datasets.outcomes("d") == [outcome]
    assert store.datasets.findings("d", 1, "answer") == ((0, found[0]), (1, found[1]))
    assert store.datasets.findings("d", 1, "answer", limit=1) == ((0, found[0]),)
    assert store.datasets.findings("d", 1, "answer", after=0) == ((1, found[1]),)
    assert store.datasets.findings("d", 1, "answer", reason="timeout") == ((1, found[1]),)
    assert store.datasets.findings("d", 1, "tags") == ()
    with pytest.raises(NotFound):
        store.datasets.outcomes("none")


def test_many_findings_are_kept(store: Store) -> None:
    found = [Finding(f"{n:064x}", "duplicate", {"other": "0" * 64}) for n in range(12_000)]
    store.datasets.add(version(), ROWS, [], {"exact_duplicate": found})
    assert [one.hash for _, one in store.datasets.findings("d", 1, "exact_duplicate", after=11_998)] == [found[-1].hash]


def test_groups_are_those_of_the_traces_that_are_still_there(store: Store) -> None:
    traces = [Trace(f"p{n}", (), "1", source="s" if n == 2 else None) for n in range(3)]
    store.traces.insert(traces)
    rows = build_dataset(DatasetSpec("d"), store.traces.select(TraceQuery()))
    store.datasets.add(version(rows=rows), rows)
    store.traces.delete(traces[0].content_hash)
    assert store.datasets.groups("d") == {one.content_hash: one.group_key for one in traces[1:]}
    assert store.datasets.sources("d") == [("", 1), ("s", 1)]


def test_what_a_version_holds_of_a_chat_is_told(store: Store) -> None:
    plain = Trace('What is "messages": here?', (), "1", meta={"calls": [1], "system": None})
    told = Trace("p", (), "1", system="Be brief.")
    talked = Trace("p", (), "1", conversation=Conversation(messages=(Message("user", "a"), Message("assistant", "b"))))
    called = Trace("p", (), "2", conversation=Conversation(calls=(Call("sum"),)))
    store.traces.insert([plain, told, talked, called])
    found = {}
    for number, chosen in enumerate(([plain], [told], [plain, talked], [called]), 1):
        rows = [DatasetRow(trace.content_hash, "train") for trace in chosen]
        store.datasets.add(version(number, "d", rows), rows)
        found[number] = store.datasets.chat_parts("d", number)
    assert found == {
        1: NO_PARTS,
        2: ChatParts(system=True),
        3: ChatParts(conversation=True),
        4: ChatParts(conversation=True, keys=True),
    }
    rejected = GivenScore(name="preferred", value=1.0, scorer="pair", version="1", against=called.content_hash)
    store.curation.score(plain.content_hash, [rejected])
    assert store.datasets.chat_parts("d", 1) == NO_PARTS
    assert store.datasets.chat_parts("d", 1, pairs=True).keys
