"""Checkpoint and request of an evaluation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evals", sa.Column("train_step", sa.Integer))
    op.add_column("evals", sa.Column("setup", sa.Text, nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("evals") as batch:
        batch.drop_column("setup")
        batch.drop_column("train_step")
