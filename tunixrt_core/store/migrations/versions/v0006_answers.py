"""Verdicts on final answers and their tallies, by the comparison of this version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.traces.trace import Trace

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BATCH = 1_000
_ANSWER = "CASE correct WHEN 1 THEN 'right' WHEN 0 THEN 'wrong' ELSE 'unknown' END"


def upgrade() -> None:
    """Compare every answer with its reference again, in batches: a large store is never in memory."""
    connection, last = op.get_bind(), 0
    while found := connection.execute(_NEXT, {"last": last, "rows": _BATCH}).all():
        last = found[-1].id
        changed = [new for row in found if (new := _verdict(row.id, row.body, row.correct)) is not None]
        if changed:
            connection.execute(sa.text("UPDATE traces SET correct = :correct WHERE id = :id"), changed)
    op.execute("DELETE FROM trace_tallies WHERE kind = 'answer'")
    op.execute(
        f"INSERT INTO trace_tallies (kind, value, traces) SELECT 'answer', {_ANSWER}, count(*) FROM traces "
        f"WHERE body IS NOT NULL GROUP BY {_ANSWER}"
    )


def downgrade() -> None:
    """The column holds verdicts of either comparison."""


# a trace without a verdict has no reference: version 1 was never unsure
_NEXT = sa.text(
    "SELECT id, body, correct FROM traces WHERE id > :last AND body IS NOT NULL AND correct IS NOT NULL "
    "ORDER BY id LIMIT :rows"
)


def _verdict(number: int, body: str, before: int) -> dict[str, int | None] | None:
    matches = answer_matches(Trace.from_canonical(body.encode()))
    correct = None if matches is None else int(matches)
    return {"id": number, "correct": correct} if correct != before else None
