"""Databases that the migrations made once for all tests of this process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tunixrt_core.store.store import open_store


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        open_store(f"sqlite:///{file}").close()
        return file.read_bytes()


def empty_database(file: Path) -> str:
    """The URL of a new database, as the migrations leave it: they take a twentieth of a second, a test often less."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(_migrated())
    file.chmod(0o600)
    return f"sqlite:///{file}"
