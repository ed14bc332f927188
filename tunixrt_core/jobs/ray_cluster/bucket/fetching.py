"""A home of its own for a job, filled from the bucket, and the words for its paths."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.errors import JobFailed
from tunixrt_core.jobs.ray_cluster.bucket.chunks import Missing, bring_file, bring_text, read_tree
from tunixrt_core.jobs.ray_cluster.bucket.index import Index, Place
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.util.files.atomic import scratch_beside
from tunixrt_core.util.files.places import rebased
from tunixrt_core.util.hashing import content_hash

METADATA = "_CHECKPOINT_METADATA"  # of orbax, JSON
_JSON = (".json", ".jsonl", METADATA)
_TEXTS = (*_JSON, ".log", ".md", ".txt")


@dataclass(frozen=True, slots=True)
class Words:
    """Paths of the worker, and the hash of a manifest with them, as the home has them."""

    local: tuple[str, ...]
    home: tuple[str, ...]
    manifests: tuple[bytes, bytes]  # the text of the manifest, here and in the home

    def outward(self, name: str, data: bytes) -> bytes:
        """The bytes of a file as they are in the home."""
        if name == "manifest.yaml":
            return self.manifests[1] if data == self.manifests[0] else data
        if is_text(name):
            in_json = name.endswith(_JSON)
            for here, there in zip(self.local, self.home, strict=True):
                data = data.replace(_written(here, in_json), _written(there, in_json))
        return data

    def text(self, text: str) -> str:
        """A sentence, as of `outward`."""
        return self.outward("sentence.txt", text.encode()).decode()

    def news(self, news: Mapping[str, Any]) -> dict[str, Any]:
        """News of the job, as of `outward`."""
        found: dict[str, Any] = orjson.loads(self.outward("news.json", orjson.dumps(dict(news))))
        return found


def is_text(name: str) -> bool:
    """Whether a file may hold paths, by its name."""
    return name.endswith(_TEXTS)


def _written(text: str, in_json: bool) -> bytes:
    return orjson.dumps(text)[1:-1] if in_json else text.encode()


@dataclass(frozen=True, slots=True)
class LocalJob:
    """A job whose paths are those of this machine."""

    spec: JobSpec
    scope: Scope
    models_dir: Path
    words: Words


def fetch(bucket: Bucket, spec: JobSpec, start: Index, cache: Path, scratch: Path) -> LocalJob:
    """Bring what a job reads: its run's folder and its data into `scratch`, models into `cache`, which keeps them.

    Raises JobFailed where something is gone from the bucket, Away, Refused, and OSError.
    """
    home_folder = Scope.of(spec).folder
    folder = scratch / "runs" / home_folder.name
    folder.mkdir(parents=True)
    try:
        places = {place.path: _bring_place(bucket, place, cache, scratch) for place in start.places}
        written = {place.path: str(places[place.path]) for place in start.places if place.named is None}
        local = replace(spec, body=_localised(dict(spec.body), home_folder, folder, written))
        for name, entry in start.files.items():
            bring_text(bucket, entry, folder / name)
        for name, tree in start.folders.items():
            for file, chunks in read_tree(bucket, tree).items():
                bring_file(bucket, chunks, folder / name / file)
            _localise(folder / name / METADATA, home_folder, folder, written)
    except Missing as error:
        raise JobFailed(
            f"{spec.run}: something that the job needs was deleted from {bucket.address} meanwhile ({error}). "
            "Start it again."
        ) from None
    models_dir = (scratch if any(place.named for place in start.places) else cache) / "models"
    return LocalJob(local, Scope.of(local), models_dir, _words(spec, local, home_folder, folder, written))


def _localised(value: Any, home: Path, folder: Path, written: Mapping[str, str]) -> Any:
    return _renamed(rebased(value, home, folder), written)


def _localise(metadata: Path, home: Path, folder: Path, written: Mapping[str, str]) -> None:
    """A checkpoint holds the manifest of its training, which a resume compares with its own."""
    if metadata.is_file():
        metadata.write_bytes(orjson.dumps(_localised(orjson.loads(metadata.read_bytes()), home, folder, written)))


def _words(spec: JobSpec, local: JobSpec, home: Path, folder: Path, written: Mapping[str, str]) -> Words:
    ours, theirs = (RunManifest.from_dict(each.body["manifest"]) for each in (local, spec))
    pairs = {str(folder): str(home), ours.content_hash: theirs.content_hash}
    pairs |= {path: named for named, path in written.items()}
    longest = sorted(pairs, key=len, reverse=True)
    return Words(
        tuple(longest), tuple(pairs[each] for each in longest), (ours.to_yaml().encode(), theirs.to_yaml().encode())
    )


def _bring_place(bucket: Bucket, place: Place, cache: Path, scratch: Path) -> Path:
    """The local path of a place. A model is kept by its content; its name in the folder of models is a link."""
    if not place.is_folder:
        name = Path(place.path).name
        path = scratch / "inputs" / content_hash(place.path)[:12] / name
        bring_file(bucket, place.files[name], path)
        return path
    names = {name: [chunk.key for chunk in chunks] for name, chunks in place.files.items()}
    kept = cache / "content" / content_hash(names)[:16] / Path(place.path).name
    if not kept.is_dir():
        _bring_model(bucket, place, kept)
    if place.named is None:
        return kept
    link = scratch / "models" / place.named
    link.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(kept, link)
    return link


def _bring_model(bucket: Bucket, place: Place, kept: Path) -> None:
    with scratch_beside(kept) as unfinished:
        for name, chunks in place.files.items():
            bring_file(bucket, chunks, unfinished / name)
        try:
            unfinished.rename(kept)
        except OSError:
            if not kept.is_dir():  # another worker of this machine was quicker
                raise
            shutil.rmtree(unfinished)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value
