"""What a job needs, put into the bucket by the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunixrt_core.errors import JobFailed, NotFound
from tunixrt_core.jobs.ray_cluster.bucket.chunks import Between, Chunk, Entry, Shelf, files_in, to_tree
from tunixrt_core.jobs.ray_cluster.bucket.index import INPUTS, Control, Index, JobPart, Place
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope, whole_checkpoints
from tunixrt_core.jobs.ray_cluster.bucket.store import Bucket
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.manifest.models import model_directory, parse_model_name
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.base_model import base_files

_LAST = "predictions.jsonl"  # of earlier evaluations, which an export does not read


def send(bucket: Bucket, spec: JobSpec, models_dir: Path, between: Between = lambda: None) -> Index:
    """Put what a worker needs to do this attempt of a job; what is there is not put again.

    The attempt begins with the last object. Raises JobFailed for a file that is missing or changes meanwhile, Away and
    Refused.
    """
    part = JobPart(bucket, spec.id, spec.attempt)
    if spec.attempt == 0:  # an export has no attempts: nothing of an earlier worker counts
        bucket.delete(bucket.find(part.folder))
    shelf = Shelf(bucket, part.prefix, _known(bucket, part, spec))
    inputs = Shelf(bucket, INPUTS, bucket.find(f"{INPUTS}/"))
    try:
        files = dict(_light(shelf, spec))
        folders = {name: _folder(shelf, Scope.of(spec).folder / name, between) for name in _heavy(spec)}
        places = tuple(_places(inputs, spec, models_dir, between))
    except OSError as error:
        raise JobFailed(f"A file of the job cannot be sent to {bucket.address} ({error}). Start it again.") from None
    index = Index(files, folders, places)
    bucket.put(part.start_key, index.to_json())
    part.put_control(Control(spec.attempt, folder=str(Scope.of(spec).folder)))
    return index


def _known(bucket: Bucket, part: JobPart, spec: JobSpec) -> Iterable[str]:
    """Keys that this job may name: its own, and those of the run's training."""
    found = set(bucket.find(part.folder))
    return found if spec.kind == "train" else found | set(bucket.find(f"jobs/{spec.run}/"))


def _light(shelf: Shelf, spec: JobSpec) -> Iterator[tuple[str, Entry]]:
    folder = Scope.of(spec).folder
    for name in _light_names(spec, folder):
        with suppress(FileNotFoundError):
            yield name, shelf.put_text((folder / name).read_bytes(), None)


def _light_names(spec: JobSpec, folder: Path) -> Iterator[str]:
    """The files of the run, of an evaluation its own too, of an export those of all evaluations, for its card."""
    yield from Scope("train", folder, ".").light()
    if spec.kind == "evaluate":
        yield from Scope.of(spec).light()
    elif spec.kind == "export":
        yield from (f"evals/{name}" for name in files_in(folder / "evals") if not name.endswith(_LAST))


def _heavy(spec: JobSpec) -> list[str]:
    """Checkpoints: of an evaluation and an export the one that they are about."""
    folder = Scope.of(spec).folder
    there = list(whole_checkpoints(folder))
    if spec.kind == "train":
        return there
    asked = spec.body["checkpoint"] if spec.kind == "export" else spec.body.get("request", {}).get("checkpoint")
    if not there or asked is None or spec.body.get("target") == "base":
        return []
    with suppress(NotFound):  # which the worker says
        there = [f"checkpoints/{RunDir(folder).checkpoint_step(asked)}"]
    return there


def _folder(shelf: Shelf, folder: Path, between: Between) -> Chunk:
    return put_folder(shelf, folder, lambda name, path: shelf.put_file(path, between))[0]


def put_folder(shelf: Shelf, folder: Path, put: Callable[[str, Path], list[Chunk]]) -> tuple[Chunk, set[str]]:
    """The tree of a folder, once all of its files are there, and the keys of all its chunks.

    Raises OSError, where it was deleted meanwhile.
    """
    names = sorted(os.path.relpath(Path(path, name), folder) for path, _, found in os.walk(folder) for name in found)
    if not names:
        raise FileNotFoundError(str(folder))
    files = {name: put(name, folder / name) for name in names}
    tree = shelf.put(to_tree(files))
    return tree, {tree.key, *(chunk.key for chunks in files.values() for chunk in chunks)}


def _places(shelf: Shelf, spec: JobSpec, models_dir: Path, between: Between) -> Iterator[Place]:
    if spec.body.get("score_again"):
        return
    manifest: dict[str, Any] = spec.body["manifest"]
    yield from _file(shelf, manifest["data"]["path"], between)
    tokenizer = manifest["tokenizer"]["path"]
    found = model_directory(manifest["model"]["id"], models_dir)
    extra = {manifest["model"]["id"]: found, tokenizer: Path(tokenizer).expanduser() if tokenizer else None}
    for written, folder in extra.items():
        if written is not None and folder is not None and folder.is_dir():
            files = {name: shelf.put_file(path, between) for name, path in base_files(folder).items()}
            yield Place(written, files, is_folder=True, named=_named(written, folder, models_dir))
    if eval_file := spec.body.get("request", {}).get("eval_file"):
        yield from _file(shelf, eval_file, between)


def _named(written: str, folder: Path, models_dir: Path) -> str | None:
    """The path of a model below the folder of models, where the spec has its name and not a path."""
    is_name = parse_model_name(written) is not None or folder == models_dir / written
    return str(folder.relative_to(models_dir)) if is_name and folder.is_relative_to(models_dir) else None


def _file(shelf: Shelf, written: str, between: Between) -> Iterator[Place]:
    """Nothing where it is missing, which the job says."""
    path = Path(written).expanduser()
    if path.is_file():
        yield Place(written, {path.name: shelf.put_file(path, between)}, is_folder=False)
