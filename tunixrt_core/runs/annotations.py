"""Tags, note and archive mark of a run: `annotations.json` in its folder."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from tunixrt_core.errors import BrokenFile
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Annotations:
    """What people say about a run. An archived run is left out of lists until it is requested."""

    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False

    def tagged(self, tags: Iterable[str]) -> Annotations:
        """With these tags as well. Raises InvalidQuery for one that cannot be a tag."""
        from tunixrt_core.util.names import check_names

        return replace(self, tags=tuple(dict.fromkeys([*self.tags, *check_names("tag", tags)])))

    def untagged(self, tags: Iterable[str]) -> Annotations:
        """Without these tags; one that is missing is no error."""
        gone = {tag.strip() for tag in tags}
        return replace(self, tags=tuple(tag for tag in self.tags if tag not in gone))

    def noted(self, text: str) -> Annotations:
        """With this note in place of the one before; a blank one removes it. Raises InvalidQuery."""
        from tunixrt_core.util.names import check_note

        check_note(text)
        return replace(self, note=text if text.strip() else "")

    def fields(self) -> dict[str, Any]:
        """As a Run holds them."""
        return {"tags": self.tags, "note": self.note, "archived": self.archived}


def read_annotations(folder: RunDir) -> Annotations:
    """The annotations in a run's folder; none where the file is missing or cannot be read."""
    return _read(folder) or Annotations()


def write_annotations(folder: RunDir, annotations: Annotations) -> None:
    """Write them whole; without any, the file is removed. Raises OutputError, OSError.

    A file that cannot be read is kept under another name: a person wrote what was in it.
    """
    file = folder.annotations_file
    if os.path.lexists(file) and _read(folder) is None:
        kept = file.rename(file.with_name(f"{file.name}.broken-{time.time_ns()}"))
        log.warning("%s cannot be read; it is kept as %s.", file, kept.name)
    if annotations == Annotations():
        file.unlink(missing_ok=True)
    else:
        write_json(file, annotations.fields())


def check_annotations(file: Path) -> None:
    """Raises BrokenFile where the file is there and cannot be read as annotations."""
    _read_file(file)


def _read(folder: RunDir) -> Annotations | None:
    """None where the file is missing or cannot be read."""
    try:
        return _read_file(folder.annotations_file)
    except BrokenFile:
        return None


def _read_file(file: Path) -> Annotations | None:
    found = read_object(file)
    if found is None:
        return None
    try:
        return msgspec.convert(found, Annotations)
    except msgspec.ValidationError as error:
        raise BrokenFile(file, f"holds no tags, note and archive mark ({error})") from None
