"""The migrations make exactly the tables that the store uses."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tunixrt_core.store import schema
from tunixrt_core.store.store import Store
from tunixrt_core.store.tables import metadata

_MIGRATIONS = Path(schema.__file__).with_name("migrations")


def test_head_is_the_newest_migration_and_every_revision_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == schema.HEAD
    assert {revision.revision for revision in script.walk_revisions()} == schema.KNOWN


def test_a_migrated_database_has_the_tables_that_are_declared(store: Store) -> None:
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _not_search})
        assert compare_metadata(context, metadata) == []


def _not_search(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or not (name or "").startswith("trace_search")
