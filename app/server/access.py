"""The access token: from the settings, or created once in the home."""

from __future__ import annotations

import os
import secrets

from tunixrt_core.errors import OutputError
from tunixrt_core.settings import Settings
from tunixrt_core.util.private import make_private


def access_token(settings: Settings) -> str:
    """The access token of this home. Created at the first start and kept, so that a restart signs no user out.

    Raises OutputError if it cannot be written.
    """
    if settings.token:
        return settings.token
    path = settings.token_file
    try:
        make_private(settings.home)
        if path.is_file() and (kept := path.read_text(encoding="ascii", errors="replace").strip()):
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
