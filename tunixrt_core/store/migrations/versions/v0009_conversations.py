"""Search over the messages of a conversation."""

from __future__ import annotations

from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Renew PostgreSQL's index, whose words a function makes: it now reads messages. SQLite is given the words."""
    if op.get_bind().dialect.name == "postgresql":
        context.config.attributes["dialect"].renew_search(op.get_bind())


def downgrade() -> None:
    """Nothing: no trace of schema 0008 has messages, so the function finds the same words."""
