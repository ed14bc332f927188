"""Checks, diagnostics and restore while the database cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tunixrt_core.home.diagnostics import diagnostics, file_name
from tunixrt_core.home.doctor import Check, checks
from tunixrt_core.settings import Settings
from tunixrt_core.store.backup import Copy
from tunixrt_core.store.backup import restore as restore_store
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.space import cannot_write


def check_machine(settings: Settings) -> list[Check]:
    """Versions, device, home and database, one check each."""
    return list(checks(settings))


def write_diagnostics(settings: Settings, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Write the diagnostics bundle, into the current folder where no path is given. Raises OutputError."""
    target = path or Path(file_name())
    try:
        write_atomic(target, b"".join(diagnostics(settings, environ)))
    except OSError as error:
        raise cannot_write(target, error, "Name another place.") from None
    return target


def restore(settings: Settings, file: Path, *, force: bool = False) -> Copy:
    """Put a backup in place of the database, which must not be open.

    Raises StoreError for a damaged backup, Conflict where a database exists and `force` is not set or it is in use.
    """
    return restore_store(settings.database_url, file, force=force)
