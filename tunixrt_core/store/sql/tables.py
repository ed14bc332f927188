"""Tables of SQLAlchemy Core, created by the migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment as ISO 8601 text in UTC: sorts, reads well in any database tool, and is the same everywhere."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else utc_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class JsonText(TypeDecorator[Mapping[str, Any]]):
    """A JSON object as text, its keys in the order given."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(dict(value)).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, Any] | None:
        return None if value is None else orjson.loads(value)


class JsonList(TypeDecorator[Sequence[Any]]):
    """A JSON list as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(list(value)).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sequence[Any] | None:
        return None if value is None else orjson.loads(value)


def utc_text(moment: datetime) -> str:
    """A moment as `UtcTime` writes it, for rows that go to the driver as they are."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


metadata = MetaData()

# SQLite counts rows by INTEGER only; numbers are never used twice, so that "after this id" means "newer"
_RowId = BigInteger().with_variant(Integer, "sqlite")

traces = Table(
    "traces",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("group_key", String(64)),
    Column("source", Text),
    Column("model", Text),
    # the trace's canonical JSON: its sha256 is `hash`, which any tool can check. Null in a tombstone.
    Column("body", Text),
    # read off the body when it is stored, so that filters need not open it; null in a tombstone
    Column("step_count", Integer),
    Column("size", Integer),  # bytes of the body
    Column("correct", SmallInteger),  # final answer against reference: 1 right, 0 wrong, null unknown
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    Index("ix_traces_source", "source"),
    Index("ix_traces_model", "model"),
    Index("ix_traces_group_key", "group_key"),
    Index("ix_traces_step_count", "step_count"),
    Index("ix_traces_size", "size"),
    Index("ix_traces_correct", "correct"),
    Index("ix_traces_created_at", "created_at"),
    # in both databases only of tombstones, as the migration makes it, so that it cannot tempt the planner into listing
    # what is alive. To say so here would load the dialect of PostgreSQL in every process, whatever database it uses
    Index("ix_traces_deleted_at", "deleted_at"),
    sqlite_autoincrement=True,
)


def _trace_id(**options: Any) -> Column[int]:
    return Column("trace_id", _RowId, ForeignKey("traces.id", ondelete="CASCADE"), **options)


# What people and scorers say about a trace. None of it is part of its identity; it goes when the trace is deleted.
trace_tags = Table(
    "trace_tags",
    metadata,
    Column("tag", String(80), primary_key=True),
    _trace_id(primary_key=True, autoincrement=False),
    Index("ix_trace_tags_trace_id", "trace_id"),
    sqlite_with_rowid=False,
)

trace_notes = Table(
    "trace_notes",
    metadata,
    _trace_id(primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
)

trace_scores = Table(
    "trace_scores",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    _trace_id(nullable=False),
    Column("step", Integer, nullable=False),
    Column("name", String(80), nullable=False),
    Column("kind", String(9), nullable=False),  # human or automatic
    Column("scorer", String(80), nullable=False),
    Column("version", String(80), nullable=False),  # of an automatic scorer; empty for a human one
    Column("value", Double, nullable=False),
    Column("note", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("against", String(64), nullable=False, server_default=""),  # hash of the trace it was compared with
    UniqueConstraint("trace_id", "name", "kind", "scorer", "version", "step", "against", name="uq_trace_scores"),
    Index("ix_trace_scores_name_value", "name", "value"),
    Index("ix_trace_scores_kind", "kind"),
)

# how many traces there are, in all and by source, model and answer: kept up to date so that none need be counted
trace_tallies = Table(
    "trace_tallies",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("traces", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False),
    Column("version", Integer, nullable=False),
    Column("spec", JsonText, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("train_rows", Integer, nullable=False),
    Column("eval_rows", Integer, nullable=False),
    Column("parent", Integer),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("name", "version", name="uq_dataset_versions_name_version"),
    sqlite_autoincrement=True,
)

dataset_rows = Table(
    "dataset_rows",
    metadata,
    Column("version_id", _RowId, ForeignKey("dataset_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("split", String(5), nullable=False),
    sqlite_with_rowid=False,
)

dataset_gates = Table(
    "dataset_gates",
    metadata,
    Column("version_id", _RowId, ForeignKey("dataset_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("outcome", JsonText, nullable=False),
    sqlite_with_rowid=False,
)

# hashes and places, never text: what a gate found must not outlive a trace that was deleted
dataset_findings = Table(
    "dataset_findings",
    metadata,
    Column("version_id", _RowId, ForeignKey("dataset_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("gate", String(40), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("detail", JsonText, nullable=False),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    Column("seq", _RowId, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("manifest", JsonText, nullable=False),
    Column("directory", Text, nullable=False),
    Column("dataset_name", String(80)),
    Column("dataset_version", Integer),
    Column("dataset_hash", String(64)),
    Column("message", Text, nullable=False),
    Column("request_id", String(200), unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("tags", JsonList, nullable=False, server_default="[]"),
    Column("note", Text, nullable=False, server_default=""),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("figures", JsonText, nullable=False, server_default="{}"),  # of its folder, as of the moment that they hold
    Column("revision", BigInteger, nullable=False, server_default="0"),  # counts the changes of all runs
    Index("ix_runs_revision", "revision"),
    sqlite_autoincrement=True,
)

evals = Table(
    "evals",
    metadata,
    Column("seq", _RowId, primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False, unique=True),
    Column("run_id", String(80), nullable=False),
    Column("target", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("directory", Text, nullable=False),
    Column("metrics", JsonText, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("train_step", Integer),
    Column("setup", JsonText, nullable=False, server_default="{}"),
    Index("ix_evals_run_id", "run_id"),
    Index("ix_evals_ended_at", "ended_at"),
    sqlite_autoincrement=True,
)

# what the database knows of itself
properties = Table(
    "properties", metadata, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False)
)

# what was started under a request id; asked again, it is found here
requests = Table(
    "requests",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("asked", String(64), nullable=False),
    Column("process", String(120), nullable=False),
    Column("answer", JsonText),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_requests_created_at", "created_at"),
)

# who may use the server besides the holders of its own token
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", UtcTime),
)

# the queue that several servers of one home share; times are Unix seconds of the database's clock
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("home", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("owner", String(200)),  # who does it; null while it waits
    Column("beat", Double),  # its last sign of life
    Index("ix_jobs_home", "home", "queued_at"),
)
