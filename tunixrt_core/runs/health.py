"""Files of a run's folder that cannot be read, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from tunixrt_core.errors import BrokenFile, NotFound
from tunixrt_core.runs.annotations import check_annotations
from tunixrt_core.runs.files import check_folder, check_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import read_answers, read_metrics
from tunixrt_core.util.files.regular import kind_words, open_regular, read_object

OBJECTS = ("result.json", "env.json", "preflight.json", "parent.json", "best.json", "base.json")
EVALUATION_OBJECTS = ("spec.json", "state.json", "summary.json", "leaks.json")
FOLDERS = ("checkpoints", "evals")


def problems_of(folder: RunDir) -> list[BrokenFile]:
    """What cannot be read, the folder or the state first; empty for a run that is whole."""
    try:
        check_folder(folder.path)
    except BrokenFile as error:
        return [error]
    found = [error for error in _checked(folder) if error is not None]
    named = {error.path for error in found}
    return found + [error for error in odd_entries(folder.path) if error.path not in named]


def _checked(folder: RunDir) -> Iterator[BrokenFile | None]:
    try:
        folder.read_state()
    except NotFound:
        yield BrokenFile(folder.state_file, "the file is missing")
    except BrokenFile as error:
        yield error
    try:
        check_manifest(folder.manifest_file)
    except BrokenFile as error:
        yield error
    for name in OBJECTS:
        yield _tried(read_object, folder.path / name)
    yield _tried(check_annotations, folder.annotations_file)
    yield _tried(lambda file: check_lines(file, lambda line: bool(read_metrics(line))), folder.metrics_file)
    yield _tried(lambda file: check_lines(file, lambda line: bool(read_answers(line))), folder.samples_file)
    yield _tried(_opened, folder.log_file)
    for name in FOLDERS:
        yield _tried(_listed, folder.path / name)
    yield from _evaluations(folder.evals)


def _evaluations(evals: Path) -> Iterator[BrokenFile | None]:
    for evaluation in sorted(evals.glob("*")) if evals.is_dir() and not evals.is_symlink() else ():
        try:
            check_folder(evaluation)
        except BrokenFile as error:
            yield error
            continue
        for name in EVALUATION_OBJECTS:
            yield _tried(read_object, evaluation / name)
        yield _tried(lambda file: check_lines(file, is_object), evaluation / "predictions.jsonl")


def odd_entries(folder: Path) -> Iterator[BrokenFile]:
    """Links, pipes, sockets and devices directly in a folder, where only files and folders belong."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield BrokenFile(folder, f"cannot be read ({error.strerror or error})")
        return
    for entry in entries:
        if entry.name == "checkpoints" and os.path.isdir(entry.path):
            continue  # may be a link to a larger disk
        if not entry.is_dir(follow_symlinks=False):
            words = kind_words(entry.stat(follow_symlinks=False).st_mode)
            if words:
                yield BrokenFile(Path(entry.path), words)


def check_lines(file: Path, readable: Callable[[bytes], bool]) -> None:
    """Raises BrokenFile naming the number of whole lines that are not `readable`, FileNotFoundError."""
    with open_regular(file) as handle:
        lines = [line for line in handle if line.endswith(b"\n")]  # its writer may be in the middle of the last
    bad = sum(not readable(line.strip()) for line in lines)
    if bad:
        raise BrokenFile(file, f"{bad:,} of {len(lines):,} lines cannot be read")


def is_object(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _opened(file: Path) -> None:
    open_regular(file).close()


def _listed(folder: Path) -> None:
    try:
        os.listdir(folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BrokenFile(folder, f"is no folder that can be read ({error.strerror or error})") from None


def _tried(check: Callable[[Path], object], path: Path) -> BrokenFile | None:
    try:
        check(path)
    except FileNotFoundError:
        return None
    except (BrokenFile, OSError) as error:
        return error if isinstance(error, BrokenFile) else BrokenFile(path, f"cannot be read ({error.strerror})")
    return None
