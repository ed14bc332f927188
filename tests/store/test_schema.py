"""The migrations make exactly the tables that the store uses."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from tunixrt_core.store import schema
from tunixrt_core.store.migrations.versions import v0003_gates
from tunixrt_core.store.store import Store
from tunixrt_core.store.tables import metadata

_MIGRATIONS = Path(schema.__file__).with_name("migrations")


def test_head_is_the_newest_migration_and_every_revision_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == schema.HEAD
    assert {revision.revision for revision in script.walk_revisions()} == schema._KNOWN


def test_a_migrated_database_has_the_tables_that_are_declared(store: Store) -> None:
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _not_search})
        assert compare_metadata(context, metadata) == []


def _not_search(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or not (name or "").startswith("trace_search")


def test_the_gates_migration_goes_down_and_up_again_with_data(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE dataset_versions (id INTEGER PRIMARY KEY, name TEXT)")
        connection.exec_driver_sql("INSERT INTO dataset_versions VALUES (1, 'kept')")
        with Operations.context(MigrationContext.configure(connection)):
            for _ in range(2):
                v0003_gates.upgrade()
                connection.exec_driver_sql("INSERT INTO dataset_gates VALUES (1, 0, '{}')")
                v0003_gates.downgrade()
        assert set(inspect(connection).get_table_names()) == {"dataset_versions"}
        assert connection.exec_driver_sql("SELECT name FROM dataset_versions").scalar() == "kept"
    engine.dispose()
