"""Form drafts kept in the home."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.errors import OutputError
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.hashing import sha256_hex

MOST = 500  # the oldest are deleted; each is the form or the manifest of one run, some KB
_NAME = re.compile(r"[0-9a-f]{8,64}")


class Drafts:
    """JSON objects in a folder, each in a file that is named by 8 to 64 hexadecimal digits. For several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def keep(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a draft, replacing one of the same name. Raises OutputError if the folder cannot be written."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a draft")
        try:
            with self._lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_json(self._file(name), data)
                self._drop_oldest()
        except OSError as error:
            raise OutputError(
                f"The input of the form cannot be kept in {self._folder} ({error.strerror or error}). "
                "Free disk space, or fix the permissions of the home."
            ) from None

    def keep_text(self, text: str, **about: str) -> str:
        """Keep a text with notes about it. Returns its name, which is derived from the text."""
        name = sha256_hex(orjson.dumps({**about, "text": text}, option=orjson.OPT_SORT_KEYS))[:16]
        self.keep(name, {**about, "text": text})
        return name

    def find(self, name: str) -> dict[str, Any] | None:
        """The draft of this name; None if it is missing or cannot be read."""
        if not _NAME.fullmatch(name):
            return None
        return read_object_or_none(self._file(name))

    def forget(self, name: str) -> None:
        """Remove the draft of this name, if it exists."""
        if _NAME.fullmatch(name):
            self._file(name).unlink(missing_ok=True)

    def _drop_oldest(self) -> None:
        kept = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in kept[: max(0, len(kept) - MOST)]:
            file.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"
