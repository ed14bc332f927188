"""The trace that a score compares with, so that a preference pair stays a pair."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEY = ("trace_id", "name", "kind", "scorer", "version", "step")
_NAME = "uq_trace_scores"


def upgrade() -> None:
    with op.batch_alter_table("trace_scores") as table:
        table.add_column(sa.Column("against", sa.String(64), nullable=False, server_default=""))
        table.drop_constraint(_NAME, type_="unique")
        table.create_unique_constraint(_NAME, [*_KEY, "against"])


def downgrade() -> None:
    """Of several comparisons of a trace the last one stays."""
    op.execute(
        f"DELETE FROM trace_scores WHERE id NOT IN (SELECT max(id) FROM trace_scores GROUP BY {', '.join(_KEY)})"
    )
    with op.batch_alter_table("trace_scores") as table:
        table.drop_constraint(_NAME, type_="unique")
        table.create_unique_constraint(_NAME, list(_KEY))
        table.drop_column("against")
