"""Annotations and figures of runs, and the order of their changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("note", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("figures", sa.Text, nullable=False, server_default="{}"))
    op.add_column("runs", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_runs_revision", "runs", ["revision"])
    op.create_index("ix_evals_ended_at", "evals", ["ended_at"])  # a look at the newest end reads no evaluation
    op.execute("UPDATE runs SET revision = seq")


def downgrade() -> None:
    op.drop_index("ix_evals_ended_at", "evals")
    op.drop_index("ix_runs_revision", "runs")
    with op.batch_alter_table("runs") as batch:
        for name in ("tags", "note", "archived", "figures", "revision"):
            batch.drop_column(name)
