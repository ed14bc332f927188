"""The id of a home, by which databases, buckets and clusters know it."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from tunixrt_core.errors import OutputError
from tunixrt_core.util.files.atomic import write_first
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.files.space import cannot_write

_ID = re.compile(b"[0-9a-f]{32}")


def id_file(home: Path) -> Path:
    """The file that holds the id."""
    return home / "id"


def home_id(home: Path) -> str:
    """32 hexadecimal digits, the same on all machines that share the folder of a home; made at the first call.

    Raises OutputError, also where the file holds something else.
    """
    file = id_file(home)
    try:
        if not file.exists():
            make_private(home)
            write_first(file, secrets.token_hex(16).encode())
        found = file.read_bytes().strip()
    except OSError as error:
        raise cannot_write(file, error, "Fix the permissions of the home.") from None
    if not _ID.fullmatch(found):
        raise OutputError(
            f"{file}: it holds no id of a home, which has 32 digits and letters from a to f. Put back the one of a "
            "backup, or delete the file for a new one."
        )
    return found.decode()
