"""The server's side of the mirror: from the bucket into the folder of the home."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tunixrt_core.jobs.ray_cluster.bucket.chunks import (
    Chunk,
    Entry,
    Missing,
    bring_file,
    bring_text,
    content,
    is_same,
    read_tree,
)
from tunixrt_core.jobs.ray_cluster.bucket.held_state import is_over, read_state, still_alive
from tunixrt_core.jobs.ray_cluster.bucket.index import Control, Index, JobPart
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.runs.ownership import OwnedFolder
from tunixrt_core.runs.record import OwnedState
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import scratch_beside, write_atomic

TICK_SECONDS = 2.0

Mark = tuple[int, int]


class Pulling:
    """Brings what changed, and passes requests on. Readers of the home see whole files, checkpoints and exports only.

    All methods raise Away, Refused and OSError, and Missing where the worker has put another index meanwhile; what was
    brought before stays.
    """

    def __init__(self, part: JobPart, scope: Scope, attempt: int) -> None:
        self._part, self._bucket, self._scope = part, part.bucket, scope
        self._attempt = attempt
        self._control: Control | None = None  # what the worker was told last
        self._applied: dict[str, tuple[Entry, Mark]] = {}
        self._there: dict[str, Chunk] = {}  # folders that are as their trees say
        self._had: Index | None = None  # what the bucket said last: what is missing since was deleted by the worker
        self._newest = Index({}, {})
        self._brought_at = 0.0

    def tick(self) -> bool:
        """Pass on requests, and bring what the worker has put. Whether the state of the home's folder has changed."""
        self._request()
        before = self._state_mark()
        if self._index() is not None:
            self._bring()
        return self._state_mark() != before

    def _index(self) -> Index | None:
        found = self._part.index(self._part.index_key)
        if found is None:
            return None
        if self._had is None:
            self._had = self._part.index(self._part.start_key)
        self._newest = found
        return found

    def _request(self) -> None:
        """Tell the worker of the files in the home that request a stop or a checkpoint."""
        if self._control is None:
            self._control = self._part.control() or Control(self._attempt)
        folder = self._scope.work_folder
        save = folder / "save"
        asked = msgspec.structs.replace(
            self._control,
            attempt=self._attempt,
            stop=(folder / "stop").exists(),
            save=self._control.save + save.exists(),
        )
        if asked != self._control:
            self._part.put_control(asked)
            self._control = asked
            save.unlink(missing_ok=True)

    def _bring(self) -> None:
        index = self._newest
        self._bring_light()
        for name, tree in index.folders.items():
            self._bring_folder(name, tree)
        self._delete_missing(index)
        self._bring_light()
        self._had = index

    def _between(self) -> None:
        """Within a long transfer: bring newer records and the sign of life, if they are due."""
        if time.monotonic() - self._brought_at >= TICK_SECONDS and self._index() is not None:
            self._bring_light()

    # --- files -------------------------------------------------------------------------------------------------------

    def _bring_light(self) -> None:
        """All files, as of the newest index; the state last, and no end of the job before its folders are there."""
        index, self._brought_at = self._newest, time.monotonic()
        state = self._scope.state
        for name, entry in index.files.items():
            if name != state:
                self._bring_text(name, entry)
        if state is None:  # an export, which has begun
            self._scope.waiting_file.unlink(missing_ok=True)
        elif (found := index.files.get(state)) is not None:
            self._bring_state(state, found, index)

    def _bring_text(self, name: str, entry: Entry) -> None:
        path = self._scope.folder / name
        known = self._applied.get(name)
        if known is not None and known == (entry, _mark(path)):
            return
        bring_text(self._bucket, entry, path)
        self._applied[name] = entry, _mark(path)

    def _bring_state(self, name: str, entry: Entry, index: Index) -> None:
        path = self._scope.folder / name
        data = content(self._bucket, entry)
        folder = OwnedFolder(path.parent, OwnedState)
        folder.require_attempt(read_state(data).get("attempt") or self._attempt)
        if is_over(data) and any(self._there.get(each) != tree for each, tree in index.folders.items()):
            data = still_alive(path.read_bytes())
        if not path.is_file() or path.read_bytes() != data:
            write_atomic(path, data)
        if owners.is_ray(read_state(data).get("owner", "")):
            self._scope.waiting_file.unlink(missing_ok=True)

    def _state_mark(self) -> Mark | None:
        return _mark(self._scope.folder / self._scope.state) if self._scope.state else None

    # --- folders -----------------------------------------------------------------------------------------------------

    def _bring_folder(self, name: str, tree: Chunk) -> None:
        """A checkpoint or an export, under its name once it is complete."""
        path = self._scope.folder / name
        if self._there.get(name) == tree and path.is_dir():
            return
        files = read_tree(self._bucket, tree)
        if not (path.is_dir() and all(is_same(path / file, chunks) for file, chunks in files.items())):
            with scratch_beside(path) as unfinished:
                new = unfinished / "new"
                for file, chunks in files.items():
                    bring_file(self._bucket, chunks, new / file, self._between)
                if path.is_dir():  # the checkpoint of an earlier attempt at the same train step
                    path.rename(unfinished / "old")
                new.rename(path)
        self._there[name] = tree

    def _delete_missing(self, index: Index) -> None:
        """What the worker deleted is deleted here, and checkpoints that earlier attempts had put in the bucket too."""
        if self._had is None:
            return
        for name in self._had.files.keys() - index.files.keys():
            if name in set(self._scope.light()):
                (self._scope.folder / name).unlink(missing_ok=True)
                self._applied.pop(name, None)
        if self._scope.kind != "train":
            return
        for name in self._had.folders.keys() - index.folders.keys():
            _delete_folder(self._scope.folder / name)
            self._there.pop(name, None)
        self._delete_earlier(self._had, index)

    def _delete_earlier(self, before: Index, index: Index) -> None:
        """Delete from the bucket what no worker deletes: chunks of earlier attempts in folders that are gone."""
        gone = [tree for name, tree in before.folders.items() if index.folders.get(name) != tree]
        earlier = [tree for tree in gone if not tree.key.startswith(f"{self._part.prefix}/")]
        if earlier:
            named = {key for tree in index.folders.values() for key in self._keys(tree)}
            for tree in earlier:
                self._bucket.delete(key for key in self._keys(tree) if key not in named)

    def _keys(self, tree: Chunk) -> Iterator[str]:
        """The keys of a folder's chunks, and last that of its tree, by which they are found; none where it is gone."""
        with suppress(Missing):
            for chunks in read_tree(self._bucket, tree).values():
                yield from (chunk.key for chunk in chunks)
            yield tree.key


def _delete_folder(path: Path) -> None:
    """A reader sees all of it or nothing."""
    if path.is_dir():
        with scratch_beside(path) as unfinished:
            path.rename(unfinished / "old")


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError:
        return 0, -1
    return found.st_mtime_ns, found.st_size
