"""Search index and group keys for all scripts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from tunixrt_core.traces.trace import Trace

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BATCH = 1_000
_NEXT = sa.text("SELECT id, group_key, body FROM traces WHERE id > :last AND body IS NOT NULL ORDER BY id LIMIT :rows")


def upgrade() -> None:
    """Index all traces again, and write the keys that differ, in batches: a large store is never in memory.

    Rows of dataset versions keep their side of the split, which is stored with them.
    """
    connection, last = op.get_bind(), 0
    while found := connection.execute(_NEXT, {"last": last, "rows": _BATCH}).all():
        last = found[-1].id
        # an ASCII prompt has the key that it had
        keys = ((row, Trace.from_canonical(row.body.encode()).group_key) for row in found if not row.body.isascii())
        if changed := [{"id": row.id, "key": key} for row, key in keys if key != row.group_key]:
            connection.execute(sa.text("UPDATE traces SET group_key = :key WHERE id = :id"), changed)
    context.config.attributes["dialect"].renew_search(connection)


def downgrade() -> None:
    """The index of schema 0006, which reads its texts from a view; keys stay, as either program groups by them."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("DROP TABLE trace_search")
    op.execute(
        "CREATE VIEW trace_texts AS SELECT id, json_extract(body, '$.prompt') || char(10) || coalesce((SELECT "
        "group_concat(json_extract(value, '$.content'), char(10)) FROM json_each(body, '$.steps')), '') "
        "|| char(10) || json_extract(body, '$.final_answer') AS text FROM traces WHERE body IS NOT NULL"
    )
    op.execute(
        "CREATE VIRTUAL TABLE trace_search USING fts5(text, content='trace_texts', content_rowid='id', "
        "detail=none, columnsize=0, tokenize='unicode61')"
    )
    op.execute("INSERT INTO trace_search (rowid, text) SELECT id, text FROM trace_texts")
