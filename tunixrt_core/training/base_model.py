"""Identity of a run's base model: fingerprints of its files, checked at each use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BaseChanged, BrokenFile, ModelError, NotFound
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import missing_model, model_directory, public_name
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object
from tunixrt_core.util.hashing import file_sha256

_NAMES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
)
_WHOLE = 4 << 20  # a file of at most this many bytes is read whole
_BLOCK = 64 << 10  # of a larger one: its beginning and its end, and blocks between them
_BLOCKS = 32


@dataclass(frozen=True, slots=True)
class FileMark:
    """One file: its size in bytes, a fingerprint of sampled blocks, and, where requested, its whole sha256."""

    size: int
    fingerprint: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The base model of a run by its files: the content of `base.json`.

    `replaced` holds when another base was accepted, and which files it changed.
    """

    model: str
    recorded_at: str  # ISO 8601, UTC
    files: Mapping[str, FileMark]
    replaced: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        files = {
            name: {key: value for key in mark.__slots__ if (value := getattr(mark, key)) is not None}
            for name, mark in self.files.items()
        }
        return {
            "model": self.model,
            "recorded_at": self.recorded_at,
            "files": files,
            "replaced": [dict(each) for each in self.replaced],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BaseModel:
        """Raises KeyError, TypeError or AttributeError for what is no record."""
        files = {name: FileMark(**mark) for name, mark in data["files"].items()}
        return cls(data["model"], data["recorded_at"], files, tuple(data.get("replaced", ())))


@dataclass(frozen=True, slots=True)
class BaseCheck:
    """The recorded base of a run beside the files on this machine. `changed` says what differs, a clause per file."""

    recorded: BaseModel
    found: Mapping[str, FileMark] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


def directory_of(manifest: RunManifest, models_dir: Path) -> Path:
    """The directory of a manifest's model. Raises ModelError where it is not on this machine."""
    found = model_directory(manifest.model.id, models_dir)
    if found is None or not found.is_dir():
        raise ModelError(missing_model(manifest.model.id))
    return found


def base_files(directory: Path, tokenizer: Path | None = None) -> dict[str, Path]:
    """The files that decide what a model says: weights, config, tokenizer and chat template, by name.

    `tokenizer`: a directory whose files are used in place of the model's.
    """
    found = {path.name: path for path in sorted(directory.glob("*.safetensors"))}
    found |= {name: directory / name for name in _NAMES}
    if tokenizer is not None:
        found |= {f"tokenizer/{name}": tokenizer / name for name in _NAMES if (tokenizer / name).is_file()}
    return {name: path for name, path in found.items() if path.is_file()}


def fingerprint(path: Path) -> FileMark:
    """Size and a hash of the beginning, the end and 32 blocks between, so that a large file takes milliseconds.

    Another training of the same shape differs in every block; an edit of a few bytes may not, which the whole sha256
    finds.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    with path.open("rb") as handle:
        for start, length in _places(size):
            handle.seek(start)
            digest.update(handle.read(length))
    return FileMark(size, digest.hexdigest())


def _places(size: int) -> Iterator[tuple[int, int]]:
    if size <= _WHOLE:
        yield 0, size
        return
    yield 0, _WHOLE // 4
    for i in range(1, _BLOCKS + 1):
        yield i * (size - _BLOCK) // _BLOCKS, _BLOCK


def record_base(folder: RunDir, manifest: RunManifest, directory: Path | None) -> None:
    """Write down the base of a run that has none recorded yet; nothing where the model is no directory."""
    if directory is None or base_file(folder).exists():
        return
    files = {name: fingerprint(path) for name, path in base_files(directory, _tokenizer(manifest)).items()}
    write_json(base_file(folder), BaseModel(public_name(manifest.model.id), _now(), files).to_dict())


def require_same_base(folder: RunDir, manifest: RunManifest, directory: Path | None) -> None:
    """Raises BaseChanged, which names the files, where the run's base is another one now than it was trained on.

    Nothing where the run has no record, or the model is not on this machine, which its loading refuses.
    """
    if directory is None or not base_file(folder).exists():
        return
    found = check_base(folder, manifest, directory)
    if found.changed:
        raise BaseChanged(folder.path.name, found.recorded.model, found.changed)


def check_base(folder: RunDir, manifest: RunManifest, directory: Path, *, whole: bool = False) -> BaseCheck:
    """Compare the files on this machine with the recorded ones; `whole` by their whole sha256, where it is recorded.

    Raises NotFound for a run without a record.
    """
    recorded = read_base(folder)
    paths = base_files(directory, _tokenizer(manifest))
    found = {name: _marked(path, whole=whole) for name, path in paths.items()}
    return BaseCheck(recorded, found, tuple(_differences(recorded.files, found)))


def accept_base(folder: RunDir, manifest: RunManifest, directory: Path) -> BaseModel:
    """Record the files on this machine as the run's base from now on; the change is kept in the record."""
    found = check_base(folder, manifest, directory)
    if not found.changed:
        return found.recorded
    change = {"at": _now(), "changed": list(found.changed), "train_step": folder.state().train_step}
    fresh = replace(found.recorded, files=found.found, replaced=(*found.recorded.replaced, change))
    write_json(base_file(folder), fresh.to_dict())
    return fresh


def hash_base(folder: RunDir, manifest: RunManifest, directory: Path) -> BaseModel:
    """Add the whole sha256 of each file to the record, which takes seconds per gigabyte. Raises BaseChanged."""
    require_same_base(folder, manifest, directory)
    record_base(folder, manifest, directory)
    paths = base_files(directory, _tokenizer(manifest))
    recorded = read_base(folder)
    fresh = replace(recorded, files={name: _marked(path, whole=True) for name, path in paths.items()})
    write_json(base_file(folder), fresh.to_dict())
    return fresh


def read_base(folder: RunDir) -> BaseModel:
    """The recorded base. Raises NotFound for a run that has none, as of a version before 0.1.0, BrokenFile."""
    found = read_object(base_file(folder))
    if found is None:
        raise NotFound("base model record of", folder.path.name, "It is written when the run next starts.")
    try:
        return BaseModel.from_dict(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenFile(base_file(folder), f"is no record of a base model ({error})") from None


def base_file(folder: RunDir) -> Path:
    return folder.path / "base.json"


def _marked(path: Path, *, whole: bool) -> FileMark:
    mark = fingerprint(path)
    return replace(mark, sha256=file_sha256(path)) if whole else mark


def _differences(recorded: Mapping[str, FileMark], found: Mapping[str, FileMark]) -> Iterator[str]:
    for name in sorted({*recorded, *found}):
        before, now = recorded.get(name), found.get(name)
        if before is None:
            yield f"{name} is new"
        elif now is None:
            yield f"{name} is missing"
        elif before.size != now.size:
            yield f"{name} has {now.size:,} bytes, not {before.size:,}"
        elif before.fingerprint != now.fingerprint or (before.sha256 and now.sha256 and before.sha256 != now.sha256):
            yield f"{name} has another content"


def _tokenizer(manifest: RunManifest) -> Path | None:
    return None if manifest.tokenizer.path is None else Path(os.path.expanduser(manifest.tokenizer.path))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
