"""The access token: from the settings, or created once in the home."""

from __future__ import annotations

import logging
import os
import secrets
import time
from pathlib import Path

from tunixrt_core.errors import BrokenFile, OutputError
from tunixrt_core.settings import Settings, is_strong_token
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.files.regular import read_text

log = logging.getLogger(__name__)


def access_token(settings: Settings) -> str:
    """The access token of this home. Created at the first start and kept, so that a restart signs no user out.

    Raises OutputError if it cannot be written.
    """
    if settings.token:
        return settings.token
    path = settings.token_file
    try:
        make_private(settings.home)
        if (kept := _kept(path)) is not None:
            return kept
        token = secrets.token_urlsafe(32)
        # readable by its owner from its first byte on
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            os.fchmod(handle, 0o600)
            file.write(token + "\n")
    except OSError as error:
        raise OutputError(
            f"The access token cannot be written to {path} ({error.strerror or error}). Fix the permissions of the "
            "home, or set TUNIXRT_TOKEN."
        ) from None
    return token


def _kept(path: Path) -> str | None:
    """The token of an earlier start; None without one that cannot be guessed. Raises OSError."""
    if not os.path.lexists(path):
        return None
    try:
        kept = read_text(path).strip()
    except BrokenFile as error:
        log.warning("The access token in %s %s; a new one was made.", path, error.reason)
        path.rename(path.with_name(f"{path.name}.broken-{time.time_ns()}"))
        return None
    if not is_strong_token(kept):
        log.warning("The access token in %s can be guessed; a new one was made.", path)
        return None
    if path.stat().st_mode & 0o077:
        log.warning("The access token in %s could be read by other users; delete it and restart for a new one.", path)
        path.chmod(0o600)
    return kept
