"""The queue that several servers of one home share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("home", sa.String(64), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("queued_at", sa.Double, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("owner", sa.String(200)),
        sa.Column("beat", sa.Double),
    )
    op.create_index("ix_jobs_home", "jobs", ["home", "queued_at"])


def downgrade() -> None:
    op.drop_table("jobs")
