"""Files of a directory or an archive, in the order of their names."""

from __future__ import annotations

import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.containers.zstd_member import ZSTANDARD, open_zstd
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.packed import SUFFIXES, Bounded, check_proportion, without_suffix

MAX_MEMBERS = 10_000
_DATA = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".xlsx", ".xlsm", ".eval")
# files beside the data of a dataset that describe it
_ABOUT = frozenset(
    {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json", "package.json"}
)
_OF_A_LOG = frozenset({"header.json", "start.json", "_journal/start.json"})
# files beside the conversations that ChatGPT exports
_OF_CHATGPT = frozenset({"chat.html", "message_feedback.json"})
_CONVERSATIONS = re.compile(r"conversations(?:-\d+)?\.json")
_SHOWN = 5


class Member(NamedTuple):
    """A file in a directory or an archive: its name for messages, how it is opened, and its size as it is stored."""

    name: str
    open: Callable[[], BinaryIO | Path]
    size: int


class Members(NamedTuple):
    """The files to read, in order, and a note on those that are left out, if there are any.

    `named`: whether the user named each of them.
    """

    files: Iterator[Member]
    note: str | None = None
    named: bool = False


def is_data(path: str) -> bool:
    """Whether a file of this name can hold rows: by its ending, hidden files and descriptions left out."""
    if _is_hidden(path):
        return False
    name = PurePosixPath(path).name.lower()
    return without_suffix(name).endswith(_DATA) or (name.endswith(SUFFIXES) and "." not in without_suffix(name))


def _is_hidden(path: str) -> bool:
    """Whether a file describes others or is of no concern, so that nobody need hear that it is left out."""
    parts = PurePosixPath(path).parts
    name = parts[-1].lower() if parts else ""
    return any(part.startswith((".", "__MACOSX")) for part in parts) or name in _ABOUT or name.startswith("cache-")


def in_directory(folder: Path) -> Members:
    """The files of a directory and of those inside of it; links are not followed.

    Raises UnreadableFile where there are none, or too many.
    """
    found: list[Path] = []
    left: list[str] = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not (Path(top) / name).is_symlink())
        listed = _saved_files(Path(top))
        for name in sorted(names):
            path = Path(top) / name
            relative = path.relative_to(folder).as_posix()
            if is_data(relative) and path.is_file() and (listed is None or name in listed):
                found.append(path)
            elif not _is_hidden(relative):
                left.append(relative)
        if len(found) > MAX_MEMBERS:
            raise UnreadableFile(f"{folder} holds more than {MAX_MEMBERS:,} files. Name a folder with fewer.")
    if known := _of_known_export([*left, *(path.relative_to(folder).as_posix() for path in found)]):
        found, left = [path for path in found if path.relative_to(folder).as_posix() in known], []
    if not found:
        raise UnreadableFile(f"{folder} holds no file that can be read. Files of these kinds are: {', '.join(_DATA)}.")
    files = (Member(str(path), lambda path=path: path, path.stat().st_size) for path in found)  # type: ignore[misc]
    return Members(files, _left_out(left))


def of_paths(paths: Sequence[Path]) -> Members:
    """The files of a list, in its order."""
    files = (Member(str(path), lambda path=path: path, _size(path)) for path in paths)  # type: ignore[misc]
    return Members(files, named=True)


def in_zip(source: Source, archive: zipfile.ZipFile) -> Members:
    """The files of a zip archive. Raises UnreadableFile where there are none or too many, or they are encrypted."""
    infos = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    _check_number(source.name, len(infos))
    check_proportion(source.name, sum(info.file_size for info in infos), sum(info.compress_size for info in infos))
    known = _of_known_export([info.filename for info in infos])
    found = [info for info in infos if (info.filename in known if known else is_data(info.filename))]
    if not found:
        raise UnreadableFile(f"{source.name} holds no file that can be read{_named([i.filename for i in infos])}.")
    if any(info.flag_bits & 1 for info in found):
        raise UnreadableFile(f"{source.name} is encrypted. Unpack it with its password and import what is in it.")
    left = [info.filename for info in infos if not known and info not in found and not _is_hidden(info.filename)]
    files = (
        Member(f"{source.name}/{info.filename}", lambda info=info: _opened(archive, info), info.compress_size)  # type: ignore[misc]
        for info in found
    )
    return Members(files, _left_out(left))


def _of_known_export(names: Sequence[str]) -> frozenset[str]:
    """The files with rows of a log of Inspect or an export of ChatGPT, whose other files are about them; none for any
    other archive or directory.
    """
    if not _OF_A_LOG.isdisjoint(names):
        return frozenset(name for name in names if name.startswith("samples/") and name.endswith(".json"))
    last = {name: PurePosixPath(name).name for name in names}
    if _OF_CHATGPT.isdisjoint(last.values()):
        return frozenset()
    return frozenset(name for name, file in last.items() if _CONVERSATIONS.fullmatch(file))


def in_tar(source: Source) -> Members:
    """The files of a tar archive, in its own order, because it is read as it comes. Links are left out."""
    return Members(_tar_files(source))


def _tar_files(source: Source) -> Iterator[Member]:
    read = seen = 0
    try:
        with tarfile.open(fileobj=source.stream, mode="r|") as archive:
            for info in archive:
                seen += 1
                _check_number(source.name, seen)
                if info.isfile() and is_data(info.name):
                    read += 1
                    held = cast(BinaryIO, archive.extractfile(info))
                    yield Member(f"{source.name}/{info.name}", lambda held=held: held, info.size)  # type: ignore[misc]
    except (tarfile.TarError, OSError) as error:
        raise UnreadableFile(
            f"{source.name} is a tar file that is damaged or breaks off ({error}). Copy or download it again."
        ) from None
    if not read:
        raise UnreadableFile(f"{source.name} holds no file that can be read: {', '.join(_DATA)}.")


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        held = open_zstd(archive, info) if info.compress_type == ZSTANDARD else cast(BinaryIO, archive.open(info))
        return cast(BinaryIO, Bounded(held, info.filename, lambda: info.compress_size))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UnreadableFile(f"{info.filename} cannot be unpacked ({error}). Pack it again.") from None


def _saved_files(folder: Path) -> frozenset[str] | None:
    """The data files that `datasets` saved in a folder, by its own list; None where there is no such list."""
    try:
        told = json.loads((folder / "state.json").read_bytes())
        return frozenset(file["filename"] for file in told["_data_files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check_number(name: str, files: int) -> None:
    if files > MAX_MEMBERS:
        raise UnreadableFile(f"{name} holds more than {MAX_MEMBERS:,} files. Unpack it and import them in parts.")


def _left_out(names: Sequence[str]) -> str | None:
    return f"Left out{_named(names)}: no kind of file that holds rows." if names else None


def _named(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f" ({', '.join(names[:_SHOWN])}{more})"
