"""The migrations make exactly the tables that the store uses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import normalize

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import freeze
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.sql import schema
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import metadata
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.util.hashing import sha256_hex

_MIGRATIONS = Path(schema.__file__).parent.with_name("migrations")


def test_head_is_the_newest_migration_and_every_revision_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == schema.HEAD
    assert {revision.revision for revision in script.walk_revisions()} == schema.KNOWN


def test_a_migrated_database_has_the_tables_that_are_declared(store: Store) -> None:
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _not_search})
        assert compare_metadata(context, metadata) == []


def _not_search(name: str | None, kind: str, parents: object) -> bool:
    # what the dialects make for the search is not in the metadata
    return name != "ix_traces_search" and not (kind == "table" and (name or "").startswith("trace_search"))


TRACES = [
    Trace("two clips", (Step(0, "add"), Step(1, "check")), "2", reference_answer="2.0", source="s", model="m"),
    Trace("three clips", (Step(0, "add"),), "4", reference_answer="3", source="s"),
    Trace("no reference", (), "x"),
    Trace("gone", (), "x", source="s"),
]


@pytest.mark.parametrize("revision", ["0001", "base"])
def test_every_migration_goes_down_and_up_again_with_data(any_url: str, revision: str) -> None:
    with open_store(any_url) as store:
        store.traces.insert(TRACES)
        store.traces.delete(TRACES[3].content_hash)
        store.curation.tag(TRACES[0].content_hash, ["kept until it goes down"])
    database = Database(any_url)
    schema.downgrade(database, revision)
    database.close()
    with open_store(any_url) as store:
        left = 0 if revision == "base" else 3
        assert store.traces.count(TraceQuery()) == left
        assert store.check().problems == ()
        assert store.traces.count(TraceQuery(text="clips")) == (2 if left else 0)
        assert store.curation.tags() == []
        if left:
            assert [item.trace for item in store.traces.page(TraceQuery(correct=True)).items] == TRACES[:1]
            assert [item.trace for item in store.traces.page(TraceQuery(min_steps=1, max_steps=1)).items] == TRACES[1:2]
            assert store.traces.sources() == [("s", 2)]
        store.traces.insert(TRACES)
        assert store.traces.count(TraceQuery()) == 4
        assert store.traces.count(TraceQuery(text="gone")) == 1


def test_the_gates_migration_goes_down_and_up_again_with_data(any_url: str) -> None:
    with open_store(any_url) as store:
        store.traces.insert(TRACES)
        rows = build_dataset(DatasetSpec("d"), store.traces.select(TraceQuery()))
        version = freeze(DatasetSpec("d"), rows, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        outcome = GateOutcome("answer", 1, "warn", {"seconds": 5.0}, 4, {"wrong": 1}, 1, {})
        found = {"answer": [Finding(next(iter(rows)).hash, "wrong", {"reference": "3"})]}
        store.datasets.add(version, rows, [outcome], found)
    for time in range(2):
        database = Database(any_url)
        schema.downgrade(database, "0002")
        with database.read() as connection:
            assert not {"dataset_gates", "dataset_findings"} & set(inspect(connection).get_table_names())
        database.close()
        with open_store(any_url) as store:
            assert store.datasets.get("d") == version
            assert tuple(store.datasets.rows("d")) == rows
            assert store.datasets.outcomes("d") == []
            assert store.datasets.findings("d", 1, "answer") == ()
            assert store.traces.count(TraceQuery()) == 4
            # what is built from here on has its gates again
            again = replace(version, name=f"d{time}")
            store.datasets.add(again, rows, [outcome], found)
            assert store.datasets.outcomes(again.name) == [outcome]
            assert [finding for _, finding in store.datasets.findings(again.name, None, "answer")] == found["answer"]


def test_verdicts_of_an_older_comparison_are_made_again(any_url: str) -> None:
    # by version 1: two numbers with other units differed, and what is no number was wrong unless it was the same text
    answers = [("50 cents", "$0.50", 0), ("Paris", "London", 0), ("automobile", "car", 0), ("7", "7", 1)]
    traces = [Trace(f"question {i}", (), given, reference_answer=known) for i, (given, known, _) in enumerate(answers)]
    with open_store(any_url) as store:
        store.traces.insert([*traces, Trace("no reference", (), "x")])
        store.traces.insert([gone := Trace("gone", (), "yes", reference_answer="no")])
        store.traces.delete(gone.content_hash)
    database = Database(any_url)
    schema.downgrade(database, "0005")
    with database.write() as connection:
        for trace, (_, _, before) in zip(traces, answers, strict=True):
            values = {"correct": before, "hash": trace.content_hash}
            connection.execute(text("UPDATE traces SET correct = :correct WHERE hash = :hash"), values)
    database.close()
    with open_store(any_url) as store:
        counted = {right: store.traces.count(TraceQuery(correct=right)) for right in (True, False)}
        assert counted == {True: 2, False: 1}
        assert store.traces.count(TraceQuery(judged=False)) == 2
        assert store.check().problems == ()


def test_keys_and_search_index_of_an_older_store_are_made_again(any_url: str) -> None:
    same = [
        Trace(prompt, (), answer) for prompt, answer in (("“图书馆”有多少书？", "1"), ('"图书馆"有\u200b多少书？', "2"))
    ]
    plain = Trace("café — ½", (), "3")
    with open_store(any_url) as store:
        store.traces.insert([*same, plain])
        rows = build_dataset(DatasetSpec("d"), store.traces.select(TraceQuery()))
        version = freeze(DatasetSpec("d"), rows, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        store.datasets.add(version, rows)
    database = Database(any_url)
    schema.downgrade(database, "0006")
    # as the program of that schema wrote them
    old = {
        one.content_hash: sha256_hex(" ".join(normalize("NFKC", one.prompt).casefold().split()).encode())
        for one in same
    }
    assert old[same[0].content_hash] != old[same[1].content_hash]
    with database.write() as connection:
        for hash, key in old.items():
            connection.execute(
                text("UPDATE traces SET group_key = :key WHERE hash = :hash"), {"key": key, "hash": hash}
            )
    database.close()
    with open_store(any_url) as store:
        grouped = store.traces.page(TraceQuery(group=same[0].group_key)).items
        assert sorted(item.trace.final_answer for item in grouped) == ["1", "2"]
        assert [item.trace for item in store.traces.page(TraceQuery(group=plain.group_key)).items] == [plain]
        assert store.traces.count(TraceQuery(text="图书馆")) == 2
        assert tuple(store.datasets.rows("d")) == rows
        store.traces.delete(same[0].content_hash)
        assert store.traces.count(TraceQuery(text="图书馆")) == 1


def test_the_pairs_migration_keeps_one_comparison_going_down_and_all_scores_going_up(any_url: str) -> None:
    better, *worse = (Trace("p", (), answer) for answer in "abc")
    pairs = tuple(
        GivenScore(name="preferred", value=1, scorer="preference", version="given", against=one.content_hash)
        for one in worse
    )
    plain = GivenScore(name="quality", value=0.5, scorer="me", version="", kind="human")
    with open_store(any_url) as store:
        store.traces.insert([ScoredTrace(better, (*pairs, plain))])
    database = Database(any_url)
    schema.downgrade(database, "0007")
    database.close()
    with open_store(any_url) as store:
        kept = store.curation.scores_of(better.content_hash)
        assert [(score.name, score.value, score.against) for score in kept] == [
            ("preferred", 1, None),
            ("quality", 0.5, None),
        ]
        store.traces.insert([ScoredTrace(better, pairs)])
        assert len(store.curation.scores_of(better.content_hash)) == 4
        assert store.check().problems == ()


def test_a_version_from_before_there_was_a_choice_includes_negative_examples(any_url: str) -> None:
    with open_store(any_url) as store:
        store.traces.insert(TRACES)
        rows = build_dataset(DatasetSpec("d"), store.traces.select(TraceQuery()))
        made = freeze(DatasetSpec("d"), rows, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        store.datasets.add(made, rows)
        store.datasets.add(replace(made, name="new"), rows)
    database = Database(any_url)
    with database.write() as connection:
        connection.execute(text("""UPDATE dataset_versions SET spec = '{"name": "d"}' WHERE name = 'd'"""))
    database.close()
    with open_store(any_url) as store:
        assert (store.datasets.get("d").spec.negatives, store.datasets.get("new").spec.negatives) == (
            "include",
            "exclude",
        )
        assert store.datasets.get("d").content_hash == made.content_hash
