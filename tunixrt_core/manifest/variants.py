"""Variants of a manifest, and their differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest, change_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object_or_none


@dataclass(frozen=True, slots=True)
class Difference:
    """One value in each of several manifests. `key` is dotted, such as optimizer.learning_rate."""

    key: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        return any(value != self.values[0] for value in self.values)


@dataclass(frozen=True, slots=True)
class Variant:
    """A manifest made from another one, and the values that differ: before and now."""

    manifest: RunManifest
    changed: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that a clone was made from, and what was changed then: its value there, and in the clone."""

    run: str
    changed: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"run": self.run, "changed": [{"key": each.key, "values": list(each.values)} for each in self.changed]}


def keep_parent(folder: RunDir, run: str, before: RunManifest, manifest: RunManifest) -> None:
    """Record the origin of a clone in its folder. The parent may be trained for longer later, or be deleted."""
    write_json(folder.parent_file, Parent(run, tuple(differences([before, manifest]))).to_dict())


def parent_of(folder: RunDir) -> Parent | None:
    """The parent of a clone; None for another run, a clone of an earlier version, and a file that cannot be read."""
    data = read_object_or_none(folder.parent_file)
    try:
        return msgspec.convert(data, Parent) if data is not None else None
    except msgspec.ValidationError:
        return None


def make_variant(manifest: RunManifest, changes: Mapping[str, Any], output_dir: str) -> Variant:
    """`manifest` with flat hyperparameters changed, for another folder, under one schedule where it was extended. What
    is changed does not list the folder.

    Raises InvalidManifest naming a change that is no hyperparameter, or the key whose new value cannot be used.
    """
    whole = manifest.model_copy(update={"schedule": manifest.schedule.model_copy(update={"extensions": ()})})
    changed = change_manifest(whole, changes, output_dir=output_dir)
    return Variant(changed, tuple(differences([manifest, changed])))


def differences(manifests: Sequence[RunManifest]) -> list[Difference]:
    """Where manifests differ, in the order of the manifest's keys. A value that one lacks is None.

    The output_dir is left out: every run has its own.
    """
    return [row for row in side_by_side(manifests) if row.differs]


def side_by_side(manifests: Sequence[RunManifest]) -> list[Difference]:
    """Every value of several manifests, but for the output_dir, in the order of the manifest's keys."""
    flat = [_flatten(manifest.to_dict(), leave_out="output_dir") for manifest in manifests]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    return [Difference(key, tuple(each.get(key) for each in flat)) for key in keys]


def read_changes(items: Iterable[str]) -> dict[str, Any]:
    """Parse `learning_rate=1e-4` and similar into flat hyperparameters; a value that is not JSON is a word."""
    values: dict[str, Any] = {}
    for item in items:
        name, equals, text = (part.strip() for part in item.partition("="))
        if not equals or not name:
            raise InvalidManifest(item, f"needs the form NAME=VALUE; names are {', '.join(HYPERPARAMETERS)}")
        try:
            values[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            values[name] = text  # a word such as cosine
    return values


def _flatten(data: Mapping[str, Any], prefix: str = "", *, leave_out: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key == leave_out:
            continue
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _flatten(value, f"{name}.")
        else:
            found[name] = value
    return found
