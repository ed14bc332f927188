"""The worker's side of the mirror: what a job writes, into the bucket."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tunixrt_core.errors import JobFailed, OutputError, Superseded
from tunixrt_core.jobs.ray_cluster.bucket.chunks import Chunk, Entry, Shelf
from tunixrt_core.jobs.ray_cluster.bucket.fetching import LocalJob, Words, is_text
from tunixrt_core.jobs.ray_cluster.bucket.held_state import is_over, read_state, still_alive
from tunixrt_core.jobs.ray_cluster.bucket.index import Control, Index, JobPart
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.sending import put_folder
from tunixrt_core.jobs.ray_cluster.bucket.store import Trouble
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_json

log = logging.getLogger(__name__)

TICK_SECONDS = 2.0
PATIENCE_SECONDS = 3600.0  # that the end of a job waits for a bucket that is away
_TRANSLATED = 16 << 20  # bytes; a larger file of a folder is read in parts

Mark = tuple[int, int, int]


class Pushing:
    """Sends what changed every two seconds in a thread, and brings the requests of the server.

    A training does not wait for the bucket: where it is away, everything is sent once it is back.
    """

    def __init__(self, part: JobPart, job: LocalJob, start: Index) -> None:
        self._part, self._bucket = part, part.bucket
        self._attempt = job.spec.attempt
        self._scope: Scope = job.scope
        self._words: Words = job.words
        ours = set(job.scope.light())
        self._files: dict[str, Entry] = {name: entry for name, entry in start.files.items() if name in ours}
        self._folders = {} if job.spec.kind != "train" else dict(start.folders)
        self._used: dict[str, set[str]] = {}  # a folder that was put here -> the keys of its chunks
        self._marks = {name: mark for name in (*self._files, *self._folders) if (mark := _mark(self._path(name)))}
        self._shelf = Shelf(self._bucket, part.prefix, _keys(self._files.values()))
        self._sent = b""
        self._sent_state = b""
        self._putting = False  # a folder, whose chunks no index names yet
        self._told_at = 0.0
        self._control = Control(self._attempt)
        self._trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tunixrt-bucket", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Send all that is left; the end of the job is told with the last of it.

        Waits up to an hour for a bucket that is away. Raises JobFailed after it, Superseded where another attempt has
        the job.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._try(self._finish):
            if time.monotonic() > until:
                raise JobFailed(f"{self._trouble} What the job wrote last could not be sent for an hour.")
            time.sleep(TICK_SECONDS)

    def _work(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            self._try(self.tick)

    def _try(self, act: Callable[[], None]) -> bool:
        """Whether it was done; trouble with the bucket is told once, and tried again."""
        try:
            act()
        except (Trouble, OSError, OutputError) as error:
            if not self._trouble:
                self._say(f"{error} The job continues; what it writes is sent when the bucket is back.")
            self._trouble = str(error)
            return False
        if self._trouble:
            self._trouble = ""
            self._say("The bucket is reached again.")
        return True

    def _say(self, sentence: str) -> None:
        log.warning("%s", sentence)
        if self._scope.kind == "train":
            RunDir(self._scope.folder).log(sentence)

    # --- one round ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Bring requests, and send what changed. Raises Away, Refused and OSError."""
        self._obey()
        if not self._is_superseded:
            self._send_light()
            self._send_heavy()

    def _finish(self) -> None:
        self._obey()
        if self._is_superseded:
            raise Superseded(self._scope.folder.name, self._attempt, self._control.attempt)
        self._send_heavy()
        self._send_light()

    def _obey(self) -> None:
        """Make the files that request a stop or a checkpoint; let a job that another attempt has find out."""
        found = self._part.control()
        if found is None:  # the job is over, and was tidied away
            found = Control(self._attempt + 1)
        before, self._control = self._control, found
        if self._is_superseded:
            state = self._path(self._scope.state) if self._scope.state else None
            if state is not None and state.is_file():
                write_json(state, {**read_state(state.read_bytes()), "attempt": found.attempt})
            return
        if found.stop and not before.stop:
            (self._scope.work_folder / "stop").touch()
        if found.save > before.save:
            (self._scope.work_folder / "save").touch()

    @property
    def _is_superseded(self) -> bool:
        return self._control.attempt > self._attempt

    def _between(self) -> None:
        """Within a long transfer: send the records and the sign of life, if they are due."""
        if time.monotonic() - self._told_at >= TICK_SECONDS:
            self._send_light()

    def _send_light(self) -> None:
        self._told_at = time.monotonic()
        found = {name: entry for name in self._scope.light() if (entry := self._entry(name)) is not None}
        self._files = found
        self._publish()

    def _entry(self, name: str) -> Entry | None:
        """The entry of a file now; None where it has vanished."""
        mark, before = _mark(self._path(name)), self._files.get(name)
        if mark is None:
            return None
        is_state = name == self._scope.state
        if mark == self._marks.get(name) and before is not None and not is_state:
            return before
        try:
            data = self._words.outward(name, self._path(name).read_bytes())
        except FileNotFoundError:
            return None
        if is_state:
            data = self._state(data)
        entry = self._shelf.put_text(data, before)
        self._marks[name] = mark
        return entry

    def _state(self, data: bytes) -> bytes:
        """The state as it is told: no end of the job before its folders are there."""
        if is_over(data) and self._sent_state and not is_over(self._sent_state) and self._missing_folders():
            return still_alive(self._sent_state)
        self._sent_state = data
        return data

    def _missing_folders(self) -> list[str]:
        """Folders that are complete here and not in the bucket."""
        return [
            name
            for name in self._scope.heavy()
            if name not in self._folders or self._marks.get(name) != _mark(self._path(name))
        ]

    def _send_heavy(self) -> None:
        there = set(self._scope.heavy())
        for name in [name for name in self._folders if name not in there]:
            del self._folders[name]
        for name in self._missing_folders():
            mark = _mark(self._path(name))
            self._putting = True
            try:
                tree, keys = put_folder(self._shelf, self._path(name), self._put)
            except FileNotFoundError:  # it was deleted meanwhile, as only some checkpoints are kept
                continue
            finally:
                self._putting = False
            if mark is not None:
                self._folders[name], self._marks[name] = tree, mark
                self._used[tree.key] = keys
                self._send_light()
        self._publish()

    def _put(self, name: str, path: Path) -> list[Chunk]:
        if is_text(name) and path.stat().st_size <= _TRANSLATED:
            return self._shelf.put_all(self._words.outward(name, path.read_bytes()), self._between)
        return self._shelf.put_file(path, self._between)

    def _publish(self) -> None:
        index = Index(self._files, self._folders)
        text = index.to_json()
        if text != self._sent:
            self._bucket.put(self._part.index_key, text)
            self._sent = text
        if not self._putting:
            self._delete_unused()

    def _delete_unused(self) -> None:
        """Delete what this process has put and its index no longer names: old records, and checkpoints not kept."""
        named = set(_keys(self._files.values())).union(
            *(self._used.get(tree.key, ()) for tree in self._folders.values())
        )
        unused = self._shelf.own - named
        self._bucket.delete(unused)
        self._shelf.forget(unused)

    def _path(self, name: str) -> Path:
        return self._scope.folder / name


def _mark(path: Path) -> Mark | None:
    """What changes with a file, or where a folder is replaced; None where it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _keys(entries: Iterable[Entry]) -> Iterable[str]:
    return (chunk.key for entry in entries if not isinstance(entry, str) for chunk in entry)
