"""Files as chunks that are named by their content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from tunixrt_core.jobs.ray_cluster.bucket.store import Away, Bucket
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.hashing import sha256_hex

CHUNK = 8 << 20  # bytes; one takes seconds on a slow line, between which a sign of life is sent
INLINE = 4096  # bytes of a text that is kept in the index itself
_MOST_PARTS = 64  # chunks of a file that grows by small parts, before it is put as a whole again

T = TypeVar("T")
Between: TypeAlias = Callable[[], None]


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """A part of a file: the key of its object, which ends with the sha256 of its bytes, and its size in bytes."""

    key: str
    size: int

    def holds(self, data: bytes | memoryview) -> bool:
        return len(data) == self.size and sha256_hex(bytes(data)) == self.key.rpartition("/")[2]


Entry: TypeAlias = str | list[Chunk]  # a small text itself, or the chunks of a file in their order
Tree: TypeAlias = dict[str, list[Chunk]]  # the files of a folder


class Missing(Exception):
    """An object that an index names is gone: the index has changed meanwhile."""


class Shelf:
    """Where one process puts chunks: each content once."""

    def __init__(self, bucket: Bucket, prefix: str, known: Iterable[str] = ()) -> None:
        """`known`: keys of chunks that are in the bucket already."""
        self._bucket, self._prefix = bucket, prefix
        self._known = {key.rpartition("/")[2]: key for key in known}
        self.own: set[str] = set()  # keys that were put here

    def put(self, data: bytes) -> Chunk:
        name = sha256_hex(data)
        if (key := self._known.get(name)) is None:
            key = f"{self._prefix}/{name}"
            self._bucket.put(key, data)
            self._known[name] = key
            self.own.add(key)
        return Chunk(key, len(data))

    def put_all(self, data: bytes, between: Between = lambda: None) -> list[Chunk]:
        found = []
        for start in range(0, len(data), CHUNK):
            found.append(self.put(data[start : start + CHUNK]))
            between()
        return found

    def put_file(self, path: Path, between: Between) -> list[Chunk]:
        """Of any size, chunk by chunk. Raises OSError."""
        found = []
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                found.append(self.put(data))
                between()
        return found

    def put_text(self, data: bytes, before: Entry | None) -> Entry:
        """A file that is written whole, or grows at its end; `before` is its last entry."""
        if len(data) <= INLINE:
            try:
                return data.decode()
            except UnicodeDecodeError:
                pass
        kept, size = _same_begin(data, before if isinstance(before, list) and len(before) < _MOST_PARTS else [])
        return kept + self.put_all(data[size:])

    def forget(self, keys: Iterable[str]) -> None:
        """Keys of chunks that are deleted from the bucket."""
        for key in keys:
            self.own.discard(key)
            self._known.pop(key.rpartition("/")[2], None)


def _same_begin(data: bytes, chunks: Iterable[Chunk]) -> tuple[list[Chunk], int]:
    """The first chunks that the bytes begin with, and their size."""
    kept: list[Chunk] = []
    size = 0
    for chunk in chunks:
        if not chunk.holds(data[size : size + chunk.size]):
            break
        kept.append(chunk)
        size += chunk.size
    return kept, size


def read_chunk(bucket: Bucket, chunk: Chunk) -> bytes:
    """Raises Missing, and Away for other bytes than it names."""
    if (data := bucket.get(chunk.key)) is None:
        raise Missing(chunk.key)
    if not chunk.holds(data):
        raise Away(f"The bucket {bucket.address} holds other bytes in {chunk.key} than were put there.")
    return data


def read_tree(bucket: Bucket, chunk: Chunk) -> Tree:
    """The files of a folder. Raises as `read_chunk`, and Away for a text that is none."""
    tree = decoded(bucket, read_chunk(bucket, chunk), Tree)
    check_names(bucket, tree)
    return tree


def decoded(bucket: Bucket, data: bytes, kind: type[T]) -> T:
    """The value in an object. Raises Away for a text that is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise Away(f"The bucket {bucket.address} holds an object that is not of this program ({error}).") from None


def check_names(bucket: Bucket, names: Iterable[str]) -> None:
    """Raises Away where who can write the bucket names a file outside of the folder of a job."""
    for name in names:
        if name.startswith("/") or ".." in name.split("/") or "\0" in name:
            raise Away(f"The bucket {bucket.address} names a file that is outside of the folder of its job.")


def to_tree(files: Mapping[str, list[Chunk]]) -> bytes:
    return msgspec.json.encode(dict(sorted(files.items())))


def content(bucket: Bucket, entry: Entry, local: bytes = b"") -> bytes:
    """The bytes of a file, of which `local` may be the beginning."""
    if isinstance(entry, str):
        return entry.encode()
    kept, size = _same_begin(local, entry)
    return local[:size] + b"".join(read_chunk(bucket, chunk) for chunk in entry[len(kept) :])


def bring_text(bucket: Bucket, entry: Entry, path: Path) -> None:
    """Make a file what an entry says, by its new end where it has grown. Raises OSError, OutputError."""
    local = path.read_bytes() if path.is_file() else None
    data = content(bucket, entry, local or b"")
    if data == local:
        return
    if local and data.startswith(local):
        with path.open("ab") as file:
            file.write(data[len(local) :])
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


def bring_file(bucket: Bucket, chunks: Iterable[Chunk], path: Path, between: Between = lambda: None) -> None:
    """Write a new file of any size, chunk by chunk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(read_chunk(bucket, chunk))
            between()
        file.flush()
        os.fsync(file.fileno())


def is_same(path: Path, chunks: Iterable[Chunk]) -> bool:
    """Whether a file is what its chunks say."""
    try:
        with path.open("rb") as file:
            return all(chunk.holds(file.read(chunk.size)) for chunk in chunks) and not file.read(1)
    except OSError:
        return False


def files_in(folder: Path) -> Iterator[str]:
    """The regular files in a folder and below, without links and hidden ones, as relative paths."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            found = Path(path, name)
            if not name.startswith(".") and found.is_file() and not found.is_symlink():
                yield str(found.relative_to(folder))
