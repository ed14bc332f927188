"""Filter columns, tags, notes, scores, counts, smaller search index.

Going down leaves the search index as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.traces.trace import Trace

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_COLUMNS = ("step_count", "size", "correct")
_INDEXED = ("group_key", *_COLUMNS, "created_at")
_TABLES = ("trace_tags", "trace_notes", "trace_scores", "trace_tallies")
_BATCH = 1_000


def upgrade() -> None:
    op.add_column("traces", sa.Column("step_count", sa.Integer))
    op.add_column("traces", sa.Column("size", sa.Integer))
    op.add_column("traces", sa.Column("correct", sa.SmallInteger))
    _fill()
    for name in _INDEXED:
        op.create_index(f"ix_traces_{name}", "traces", [name])
    _tags_and_notes()
    _scores()
    _tallies()
    context.config.attributes["dialect"].renew_search(op.get_bind())


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    for name in _INDEXED:
        op.drop_index(f"ix_traces_{name}", "traces")
    for name in _COLUMNS:
        op.drop_column("traces", name)


def _fill() -> None:
    """Read every trace once, in batches: a large store is never in memory."""
    connection, last = op.get_bind(), 0
    while True:
        found = connection.execute(
            sa.text("SELECT id, body FROM traces WHERE id > :last AND body IS NOT NULL ORDER BY id LIMIT :rows"),
            {"last": last, "rows": _BATCH},
        ).all()
        if not found:
            return
        last = found[-1].id
        connection.execute(
            sa.text("UPDATE traces SET step_count = :steps, size = :size, correct = :correct WHERE id = :id"),
            [_values(row.id, row.body.encode()) for row in found],
        )


def _values(number: int, body: bytes) -> dict[str, int | None]:
    trace = Trace.from_canonical(body)
    matches = answer_matches(trace)
    correct = None if matches is None else int(matches)
    return {"id": number, "steps": len(trace.steps), "size": len(body), "correct": correct}


def _trace_id() -> sa.ForeignKey:
    return sa.ForeignKey("traces.id", ondelete="CASCADE")


def _tags_and_notes() -> None:
    op.create_table(
        "trace_tags",
        sa.Column("tag", sa.String(80), primary_key=True),
        sa.Column("trace_id", _ROW_ID, _trace_id(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trace_tags_trace_id", "trace_tags", ["trace_id"])
    op.create_table(
        "trace_notes",
        sa.Column("trace_id", _ROW_ID, _trace_id(), primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_at", sa.String(32), nullable=False),
    )


def _scores() -> None:
    op.create_table(
        "trace_scores",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("trace_id", _ROW_ID, _trace_id(), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(9), nullable=False),
        sa.Column("scorer", sa.String(80), nullable=False),
        sa.Column("version", sa.String(80), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("trace_id", "name", "kind", "scorer", "version", "step", name="uq_trace_scores"),
    )
    op.create_index("ix_trace_scores_name_value", "trace_scores", ["name", "value"])
    op.create_index("ix_trace_scores_kind", "trace_scores", ["kind"])


def _tallies() -> None:
    op.create_table(
        "trace_tallies",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("traces", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    answer = "CASE correct WHEN 1 THEN 'right' WHEN 0 THEN 'wrong' ELSE 'unknown' END"
    op.execute("INSERT INTO trace_tallies (kind, value, traces) SELECT 'all', '', count(size) FROM traces")
    for kind, value in (("source", "source"), ("model", "model"), ("answer", answer)):
        op.execute(
            f"INSERT INTO trace_tallies (kind, value, traces) SELECT '{kind}', {value}, count(*) FROM traces "
            f"WHERE body IS NOT NULL AND {value} IS NOT NULL GROUP BY {value}"
        )
