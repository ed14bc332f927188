"""Alembic's entry point, in the connection and transaction of the store."""

from __future__ import annotations

from alembic import context

from tunixrt_core.store.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
