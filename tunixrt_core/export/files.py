"""Export files: JSONL, compressed JSONL or Parquet, written whole."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import InvalidDataset, OutputError
from tunixrt_core.export.parquet import Columns, parquet
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.space import cannot_write
from tunixrt_core.util.hashing import file_sha256

if TYPE_CHECKING:
    from tunixrt_core.datasets.versions import DatasetVersion
    from tunixrt_core.traces.rows import Split

_BLOCK_LINES = 64  # hashed and written at once
_PACK_LEVEL = 4  # 6 takes four times as long and saves a thirtieth


class FileType(StrEnum):
    """What the rows are written as; the value is the end of the file's name."""

    JSONL = "jsonl"
    JSONL_GZ = "jsonl.gz"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    FileType.JSONL: "application/x-ndjson",
    FileType.JSONL_GZ: "application/gzip",
    FileType.PARQUET: "application/vnd.apache.parquet",
}


def file_type_named(name: str) -> FileType:
    """Raises InvalidDataset, listing the known ones."""
    if name not in list(FileType):
        raise InvalidDataset(f"as: {name!r} is not a file type. Use one of: {', '.join(FileType)}.")
    return FileType(name)


@dataclass(frozen=True, slots=True)
class ExportInfo:
    """A written export. `sha256` is of the file's bytes; `meta_path` is its sidecar.

    `left_out` counts the traces that give no row of the format by the reason.
    """

    path: Path
    rows: int
    sha256: str
    bytes: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def meta_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.meta.json")


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """The rows of an export, and the traces that give none, by the reason."""

    rows: int
    left_out: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "left_out": dict(self.left_out)}


def export_name(version: DatasetVersion, format: str, file_type: FileType, split: Split | None = None) -> str:
    """The name of the file that an export is written to, or saved as."""
    suffix = "" if format == "tunix_sft" else f".{format}"
    return f"{version.name}-v{version.version}{suffix}{f'.{split}' if split else ''}.{file_type.value}"


def encoded(lines: Iterable[bytes], file_type: FileType = FileType.JSONL, columns: Columns = ()) -> Iterator[bytes]:
    """The bytes of the file in blocks. The same lines always give the same bytes; a Parquet file those of the
    installed pyarrow. `columns` are the format's, for Parquet.
    """
    if file_type is FileType.PARQUET:
        return parquet(lines, columns)
    return _packed(_blocks(lines)) if file_type is FileType.JSONL_GZ else _blocks(lines)


def write_export(
    lines: Iterable[bytes],
    path: Path,
    *,
    format: str = "tunix_sft",
    file_type: FileType = FileType.JSONL,
    columns: Columns = (),
    dataset: Mapping[str, Any] | None = None,
    more: Callable[[], Mapping[str, Any]] = dict,
    keep: bool = False,
) -> ExportInfo:
    """Write the lines beside `path`, fsync and rename, then the sidecar `<file>.meta.json`. Neither contains a time.

    `dataset` (name, version, content hash) goes into the sidecar, and the result of `more` once all lines are written.
    An existing file is replaced only by a complete one. With `keep` an existing file of other bytes stays, because a
    manifest may name it, and the name of the new file begins with its sha256. Raises OutputError where the directory
    cannot be written; an error of `lines` leaves no file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    counted = _Counted(lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            size, sha256 = _write(encoded(counted, file_type, columns), temporary)
            if keep and path.exists() and file_sha256(path) != sha256:
                path = path.with_name(f"{sha256[:12]}-{path.name}")
            # the old sidecar must never be found beside the new file
            path.with_name(f"{path.name}.meta.json").unlink(missing_ok=True)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        info = ExportInfo(path, counted.rows, sha256, size)
        meta: dict[str, Any] = {"format": format, "rows": counted.rows, "sha256": sha256, "bytes": size}
        if file_type is not FileType.JSONL:
            meta["as"] = file_type.value
        write_json(info.meta_path, meta | dict(more()) | ({"dataset": dict(dataset)} if dataset is not None else {}))
        return info
    except OSError as error:
        raise cannot_write(path, error, "Choose another place, or fix its permissions.") from None


def remove_export(path: Path) -> None:
    """Remove an export and its sidecar, where they exist. Raises OutputError."""
    try:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.meta.json").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be removed ({error.strerror or error}). Remove it by hand.") from None


class _Counted:
    """Lines, and how many have passed."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.rows = 0
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.rows += 1
            yield line


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    for line in lines:
        block.append(line)
        if len(block) >= _BLOCK_LINES:
            yield b"".join(block)
            block.clear()
    if block:
        yield b"".join(block)


def _packed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    # 31: with gzip's head, in which zlib writes no name and no time
    packer = zlib.compressobj(_PACK_LEVEL, zlib.DEFLATED, 31)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()


def _write(blocks: Iterable[bytes], path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb", buffering=1 << 20) as handle:
        for block in blocks:
            handle.write(block)
            digest.update(block)
            size += len(block)
        handle.flush()
        os.fsync(handle.fileno())
    return size, digest.hexdigest()
