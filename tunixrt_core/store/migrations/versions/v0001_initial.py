"""Traces with their search index, dataset versions, runs and evaluations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _traces()
    _datasets()
    _runs()
    context.config.attributes["dialect"].create_search(op.get_bind())


def downgrade() -> None:
    context.config.attributes["dialect"].drop_search(op.get_bind())
    for table in ("evals", "runs", "dataset_rows", "dataset_versions", "traces"):
        op.drop_table(table)


def _traces() -> None:
    op.create_table(
        "traces",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("group_key", sa.String(64)),
        sa.Column("source", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("deleted_at", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_traces_source", "traces", ["source"])
    op.create_index("ix_traces_model", "traces", ["model"])
    tombstone = sa.text("deleted_at IS NOT NULL")
    op.create_index(
        "ix_traces_deleted_at", "traces", ["deleted_at"], sqlite_where=tombstone, postgresql_where=tombstone
    )


def _datasets() -> None:
    op.create_table(
        "dataset_versions",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("train_rows", sa.Integer, nullable=False),
        sa.Column("eval_rows", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("name", "version", name="uq_dataset_versions_name_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "dataset_rows",
        sa.Column("version_id", _ROW_ID, sa.ForeignKey("dataset_versions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("split", sa.String(5), nullable=False),
        sqlite_with_rowid=False,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(80), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("dataset_name", sa.String(80)),
        sa.Column("dataset_version", sa.Integer),
        sa.Column("dataset_hash", sa.String(64)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(200), unique=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("started_at", sa.String(32)),
        sa.Column("ended_at", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "evals",
        sa.Column("seq", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(80), nullable=False, unique=True),
        sa.Column("run_id", sa.String(80), nullable=False),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evals_run_id", "evals", ["run_id"])
