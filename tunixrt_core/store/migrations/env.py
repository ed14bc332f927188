"""Alembic's entry: runs the migrations on the connection that the store hands in, in the store's transaction."""

from __future__ import annotations

from alembic import context

from tunixrt_core.store.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
