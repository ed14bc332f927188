"""Runs of a home: rows that follow their folders."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tunixrt_core.errors import BrokenFile, Conflict, NotFound, OutputError
from tunixrt_core.jobs.registry.evaluations import EvaluationRegistry
from tunixrt_core.jobs.registry.manifests import moved_manifest, read_manifest
from tunixrt_core.runs.annotations import Annotations, read_annotations, write_annotations
from tunixrt_core.runs.files import check_folder, check_manifest
from tunixrt_core.runs.folder import NEVER_BEGAN, RUN_ID, RunDir, find_run_dirs
from tunixrt_core.runs.record import DatasetRef, Run, RunState, RunStatus
from tunixrt_core.store.query import Page
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.regular import KeptFiles, read_object_or_none

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.store.store import Store

log = logging.getLogger(__name__)

_KEPT = 1000  # states of runs in memory, of a few KB each


class Registry:
    """Reads a run's folder whenever its row is read, and adds folders without a row to the store."""

    def __init__(self, store: Store, runs_dir: Path) -> None:
        self._runs = store.runs
        self._runs_dir = runs_dir
        self.aside_dir = runs_dir.parent / "aside"
        self._read: dict[str, tuple[int, int, int]] = {}  # manifest.yaml -> what it was when it was last read whole
        self._states = KeptFiles[RunState | None](_KEPT)
        self._annotating = threading.Lock()  # a change reads the file and writes it
        self.evals = EvaluationRegistry(store)

    def recover(self) -> None:
        """At start: add runs that are only on disk, and mark those of a dead process as interrupted.

        If the home was moved or copied, its runs are those of the new place. A run that cannot be read is listed as
        broken, and hides no other one.
        """
        index = self._runs.index()
        known = set(index.values())
        for folder in find_run_dirs(self._runs_dir):
            if str(folder.path) not in known:
                self._recover(folder, index.get(folder.path.name))
        for run in self._runs.unfinished():
            self._fresh(run)
        self.evals.recover()

    def _recover(self, folder: RunDir, held: str | None) -> None:
        """Add the run in a folder that no row names. `held` is the folder of the row with its name, if any."""
        try:
            if held and self._is_relocated(folder, Path(held)):
                return
            folder.require_whole()
            state, manifest = folder.read_state(), read_manifest(folder)
        except BrokenFile as error:
            self._add_broken(folder, error)
            return
        except (NotFound, FileNotFoundError):  # removed a moment ago
            return
        queued = read_object_or_none(folder.queued_file) or {}
        request_id = queued.get("request")  # its process was killed between folder and row
        known = not isinstance(request_id, str) or self._runs.by_request(request_id) is not None
        self.add(manifest, folder, state, request_id=None if known else request_id)

    def _is_relocated(self, folder: RunDir, held: Path) -> bool:
        """Whether it is the run that the store knows in `held`, before the home was moved. Its row follows."""
        moved = moved_manifest(folder, held, self._runs_dir.parent, lambda: self._runs.get(folder.path.name).manifest)
        if moved is None:
            return False
        folder.write_manifest(moved.to_yaml())
        self._runs.mirror(folder.path.name, directory=str(folder.path), manifest=moved.to_dict())
        log.info("%s was in %s before the home was moved", folder.path.name, held)
        return True

    def _add_broken(self, folder: RunDir, error: BrokenFile) -> None:
        log.warning("%s is broken: %s", folder.path.name, error)
        self._runs.add(
            Run(
                id=self._id_for(folder),
                name=folder.path.name,
                status=RunStatus.BROKEN,
                manifest={},
                directory=str(folder.path),
                created_at=datetime.now(UTC),
                message=str(error),
            )
        )

    def run(self, run_id: str) -> Run:
        return self._fresh(self._runs.get(run_id))

    def look(self, run_id: str) -> tuple[Run, RunState | None]:
        """A run and its state, read once; None of a broken run. Raises NotFound."""
        return self._seen(self._runs.get(run_id))

    def unfinished(self) -> list[Run]:
        """The runs that are not over according to their folders, oldest first."""
        fresh = [self._fresh(run) for run in self._runs.unfinished()]
        return [run for run in fresh if not run.status.over]

    def left_in_queue(self) -> list[Run]:
        """Runs that waited in the queue of a server that ended, to be started or resumed."""
        left = []
        for run_id, folder in self.folders().items():
            if not os.path.lexists(folder.queued_file):
                continue
            state = self.state(run := self.run(run_id))
            if NEVER_BEGAN in (state.message, state.refused):
                left.append(run)
        return left

    def folders(self) -> dict[str, RunDir]:
        """The folder of each run, which may be broken or gone."""
        return {run_id: RunDir(Path(directory)) for run_id, directory in self._runs.index().items()}

    def run_by_request(self, request_id: str) -> Run | None:
        found = self._runs.by_request(request_id)
        return self._fresh(found) if found else None

    def named(self, run_ids: Iterable[str]) -> list[Run]:
        """The runs of these ids that there are, with the status in their folders, in no order."""
        return [self._fresh(run) for run in self._runs.named(run_ids)]

    def annotate(self, run_id: str, change: Callable[[Annotations], Annotations]) -> Run:
        """Change the annotations in a run's folder, and its row. Raises NotFound, OutputError."""
        with self._annotating:
            run = self.run(run_id)
            folder = RunDir(Path(run.directory))
            found = change(read_annotations(folder))
            try:
                write_annotations(folder, found)
            except OSError as error:
                raise OutputError(
                    f"{folder.annotations_file} cannot be written ({error.strerror or error}). "
                    "Fix the permissions of the run's folder."
                ) from None
            told = found.fields()
            self._runs.mirror(run.id, **told)
        return replace(run, **told)

    def page(self, *, limit: int, after: str | None) -> Page[Run]:
        page = self._runs.list(limit=limit, after=after)
        return Page(tuple(self._fresh(run) for run in page.items), page.next)

    def add(self, manifest: RunManifest, folder: RunDir, state: RunState, *, request_id: str | None = None) -> Run:
        """A row for the run in a folder: named by the folder where that is a run's, else by the next number."""
        times = state.times()
        run = Run(
            id=self._id_for(folder),
            name=manifest.name,
            status=state.status,
            manifest=manifest.to_dict(),
            directory=str(folder.path),
            created_at=times["started_at"] or datetime.now(UTC),
            **times,
            message=state.message,
            dataset=DatasetRef(**manifest.dataset.model_dump()) if manifest.dataset else None,
            request_id=request_id,
            **read_annotations(folder).fields(),
        )
        self._runs.add(run)
        return run

    def is_numbered(self, folder: Path) -> bool:
        """Whether a folder is one that this home chose: `r-0001` among its runs."""
        return bool(RUN_ID.fullmatch(folder.name)) and folder.parent == self._runs_dir

    def next_dir(self) -> Path:
        """The folder of the next run: `r-0001`, `r-0002`, …"""
        numbers = [int(found[1]) for name in self._taken() if (found := RUN_ID.fullmatch(name))]
        return self._runs_dir / f"r-{max(numbers, default=0) + 1:04d}"

    def whole(self, run_id: str) -> tuple[Run, RunManifest]:
        """A run that can be worked with, and its manifest. Raises NotFound, and BrokenFile for a broken run."""
        from tunixrt_core.manifest.manifest import RunManifest

        run = self.run(run_id)
        if run.status is RunStatus.BROKEN:
            RunDir(Path(run.directory)).require_whole()
            raise BrokenFile(Path(run.directory), run.message)
        return run, RunManifest.from_dict(run.manifest)

    def move_aside(self, run_id: str) -> Path:
        """Move the folder of a broken run to `aside` in the home, off the list, and return where it is now.

        Its row is kept there as `run.json`. A folder outside of the home stays where it is. Raises NotFound, Conflict
        for a run that is not broken, OutputError.
        """
        run = self.run(run_id)
        if run.status is not RunStatus.BROKEN:
            raise Conflict(f"{run.id} is {run.status}; only a broken run can be moved aside.")
        target = self.aside_dir / f"{run.id}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        folder = Path(run.directory)
        try:
            target.mkdir(parents=True)
            write_atomic(target / "run.json", orjson.dumps({**run.to_dict(), "manifest": dict(run.manifest)}))
            if folder.parent == self._runs_dir and os.path.lexists(folder):
                folder.rename(target / folder.name)
        except OSError as error:
            raise OutputError(
                f"{run.id} cannot be moved to {target} ({error.strerror or error}). Fix the permissions of the home."
            ) from None
        self._runs.remove(run.id)
        log.info("%s was moved to %s: %s", run.id, target, run.message)
        return target

    def state(self, run: Run) -> RunState:
        """What the folder of a run says; of one without a readable state, what its row says."""
        try:
            return RunDir(Path(run.directory)).state()
        except NotFound:
            return RunState(status=run.status, message=run.message)

    def _fresh(self, run: Run) -> Run:
        """The run as its folder says. A broken one is shown so, and its row is left as it was."""
        return self._seen(run)[0]

    def _seen(self, run: Run) -> tuple[Run, RunState | None]:
        folder = RunDir(Path(run.directory))
        try:
            check_folder(folder.path)
            state = folder.state_now(self._states.of(folder.state_file, folder.written_state))
            rewritten = self._check_manifest(folder, state)
        except BrokenFile as error:
            return replace(run, status=RunStatus.BROKEN, message=str(error)), None
        except NotFound:
            if not run.status.over:
                return run, RunState(status=run.status, message=run.message)  # it is about to begin
            missing = BrokenFile(folder.state_file, "the file is missing")
            return replace(run, status=RunStatus.BROKEN, message=str(missing)), None
        return self._mirrored(run, folder, state, rewritten=rewritten), state

    def _check_manifest(self, folder: RunDir, state: RunState) -> bool:
        """Whether the file was written since the last look, at which it is looked at again. Raises BrokenFile."""
        try:
            found = folder.manifest_file.lstat()
        except FileNotFoundError:
            if state.status.over:
                raise BrokenFile(folder.manifest_file, "the file is missing") from None
            return False  # queued by an older version, which wrote it when the training began
        except OSError as error:
            raise BrokenFile(folder.manifest_file, f"cannot be read ({error.strerror or error})") from None
        known = (found.st_mtime_ns, found.st_size, found.st_mode)
        before = self._read.get(str(folder.manifest_file))
        if before == known:
            return False
        check_manifest(folder.manifest_file)
        self._read[str(folder.manifest_file)] = known
        return before is not None

    def _mirrored(self, run: Run, folder: RunDir, state: RunState, *, rewritten: bool) -> Run:
        """The run with the state of its folder, written to its row if it differs."""
        told: dict[str, Any] = {**state.times(), "status": state.status, "message": state.message}
        told |= read_annotations(folder).fields()
        if not rewritten and all(getattr(run, name) == value for name, value in told.items()):
            return run
        try:
            # the command may have trained it for longer
            told["manifest"] = read_manifest(folder).to_dict()
        except (FileNotFoundError, BrokenFile):
            if not run.manifest:
                return run
        self._runs.mirror(run.id, **told)
        return replace(run, **told)

    def _id_for(self, folder: RunDir) -> str:
        free = self.is_numbered(folder.path) and folder.path.name not in self._runs.index()
        return folder.path.name if free else self.next_dir().name

    def _taken(self) -> Iterator[str]:
        yield from self._runs.index()
        with suppress(OSError):
            yield from os.listdir(self._runs_dir)
        with suppress(OSError):  # the number of a run that was moved aside is not used again
            yield from (name.rpartition("-")[0] for name in os.listdir(self.aside_dir))
