"""The table of all runs from the store, and its changes since a version."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import NotFound, TunixRTError
from tunixrt_core.runs.figures import RunFigures, changed_at, settings_of
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import ListedRun, Run, RunStatus
from tunixrt_core.util.tasks import Progress, Tasks

if TYPE_CHECKING:
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.store.store import Store

COLUMNS = (
    "id",
    "name",
    "status",
    "model",
    "method",
    "dataset",
    "tags",
    "note",
    "archived",
    "created",
    "started",
    "seconds",
    "train_step",
    "total_train_steps",
    "train_loss",
    "eval_loss",
    "best_eval_loss",
    "base",
    "tuned",
    "learning_rate",
    "lora_rank",
    "batch_size",
    "max_seq_length",
    "trained_tokens",
    "alerts",
)
_FIGURES = frozenset(COLUMNS) & {
    *("model", "method", "seconds", "train_step", "total_train_steps", "train_loss", "eval_loss", "best_eval_loss"),
    *("learning_rate", "lora_rank", "batch_size", "max_seq_length", "trained_tokens", "alerts"),
}
_LOOK_SECONDS = 20.0  # between two looks at the folders of runs that are over
_AT_ONCE = 8  # runs whose folders are read while a reader waits; more are read in the background
_BATCH = 100  # runs per transaction


@dataclass(frozen=True, slots=True)
class TableUpdate:
    """Rows in the order of COLUMNS, newest run first. Moments are Unix seconds, losses nats per token.

    `whole`: these are all runs; otherwise the ones that changed, and the ids of those that are gone. `reading` counts
    the runs whose folders are still being read.
    """

    version: str
    whole: bool
    rows: Sequence[Sequence[Any]]
    gone: Sequence[str] = ()
    reading: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"columns": COLUMNS, **{name: getattr(self, name) for name in self.__slots__}}


@dataclass(slots=True)
class _Entry:
    run: ListedRun
    row: list[Any] = field(default_factory=list)
    version: int = 0  # at which the row last changed


class RunTable:
    """The rows of all runs of a home, kept in memory and brought up to date at each read. Thread-safe.

    A run that is over is read from the store; its folder is only looked at for changes. One that trains is read from
    its folder.
    """

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._lock = threading.RLock()
        self._of_process = secrets.token_hex(4)
        self._version = 0
        self._revision = -1
        self._evaluated: tuple[object, ...] = ()
        self._matches: dict[str, dict[str, float]] = {}
        self._entries: dict[str, _Entry] = {}
        self._unfinished: set[str] = set()
        self._broken: set[str] = set()  # which only their folders say
        self._gone: list[tuple[int, str]] = []
        self._live: dict[tuple[str, float | None], RunFigures] = {}
        self._looked_at = float("-inf")
        self._tasks: Tasks[None] = Tasks("figures", at_once=1, keep=2)

    def read(self, since: str = "") -> TableUpdate:
        """The table, or the changes since a version. Raises StoreError."""
        with self._lock:
            self._refresh()
            process, _, number = since.partition("-")
            known = int(number) if process == self._of_process and number.isdigit() else -1
            version = f"{self._of_process}-{self._version}"
            if known == self._version:
                return TableUpdate(version, False, [], [], self._reading())
            changed = [entry.row for entry in self._entries.values() if entry.version > known]
            gone = [run_id for at, run_id in self._gone if at > known] if known >= 0 else []
            return TableUpdate(version, known < 0, changed[::-1], gone, self._reading())

    def _reading(self) -> int:
        return next((task.total - task.done for task in self._tasks.all() if not task.over), 0)

    def close(self, timeout: float) -> None:
        """End the reading of folders."""
        self._tasks.close(timeout)

    def _refresh(self) -> None:
        self._follow_store()
        if self._unfinished:
            fresh = {run.id: run for run in self._registry.named(self._unfinished)}
            self._follow_store()  # which the look at a folder may have changed
            self._follow_live(fresh)
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._follow_folders()

    def _follow_store(self) -> None:
        """Take over the rows that changed in the store, and the exact match of evaluations that ended."""
        listed, count = self._store.runs.listed(self._revision)
        changed = {run.id for run in listed}
        for run in listed:
            self._revision = max(self._revision, run.revision)
            self._entries.setdefault(run.id, _Entry(run)).run = run
            (self._unfinished.discard if run.status.over else self._unfinished.add)(run.id)
        if len(self._entries) != count:
            self._forget(self._entries.keys() - self._store.runs.index().keys())
        evaluated = self._store.evals.revision()
        if evaluated != self._evaluated:
            before, self._matches = self._matches, self._store.evals.exact_matches()
            self._evaluated = evaluated
            changed |= {run_id for run_id in before | self._matches if before.get(run_id) != self._matches.get(run_id)}
        for run_id in changed & self._entries.keys():
            self._draw(self._entries[run_id])

    def _forget(self, run_ids: Iterable[str]) -> None:
        for run_id in sorted(run_ids):
            self._version += 1
            del self._entries[run_id]
            self._unfinished.discard(run_id)
            self._broken.discard(run_id)
            self._gone.append((self._version, run_id))

    def _follow_live(self, runs: dict[str, Run]) -> None:
        """The figures of runs that are not over, from their folders."""
        used = {}
        for run_id, run in runs.items():
            entry = self._entries.get(run_id)
            if entry is None or entry.run.status.over:
                continue
            state = self._registry.state(run)
            key = (run.directory, state.started_at)  # a resume repeats train steps
            used[key] = figures = self._live.get(key) or RunFigures(RunDir(Path(run.directory)))
            told = {**entry.run.figures, **settings_of(run.manifest), **figures.values(state)}
            self._draw(entry, replace(entry.run, status=run.status, figures=told))
        self._live = used

    def _follow_folders(self) -> None:
        """Read the folders of runs that are over whose state was written since the figures were taken."""
        stale = []
        for entry in self._entries.values():
            if entry.run.status.over:
                written = changed_at(entry.run.directory)
                if not written:
                    self._broken.add(entry.run.id)
                    self._draw(entry)
                elif written != entry.run.figures.get("as_of") or entry.run.id in self._broken:
                    stale.append(entry.run.id)
        if len(stale) <= _AT_ONCE:
            self._keep_figures(stale)
            self._follow_store()
        else:
            self._tasks.start(lambda tell, stop: self._read_all(stale[::-1], tell, stop), key="folders")

    def _read_all(self, run_ids: Sequence[str], tell: Progress, stop: threading.Event) -> None:
        """Newest first, as a list shows them."""
        for first in range(0, len(run_ids), _BATCH):
            if stop.is_set():
                return
            tell("runs", first, len(run_ids))
            self._keep_figures(run_ids[first : first + _BATCH])

    def _keep_figures(self, run_ids: Sequence[str]) -> None:
        read = {}
        for run_id in run_ids:
            try:
                run = self._registry.run(run_id)
            except NotFound:  # moved aside meanwhile
                continue
            written = changed_at(run.directory)
            (self._broken.add if run.status is RunStatus.BROKEN else self._broken.discard)(run_id)
            try:
                figures = RunFigures(RunDir(Path(run.directory))).values(self._registry.state(run))
            except TunixRTError:
                figures = {}
            read[run_id] = {**settings_of(run.manifest), **figures, "as_of": written}
        if read:
            self._store.runs.keep_figures(read)

    def _draw(self, entry: _Entry, run: ListedRun | None = None) -> None:
        """Make the row again; the version changes where the row does."""
        run = run or entry.run
        status = RunStatus.BROKEN if run.id in self._broken and run.status.over else run.status
        matches = self._matches.get(run.id, {})
        told = {
            **{name: run.figures.get(name) for name in _FIGURES},
            "id": run.id,
            "name": run.name,
            "status": status.value,
            "dataset": run.dataset,
            "tags": run.tags,
            "note": run.note,
            "archived": run.archived,
            "created": round(run.created_at),
            "started": None if run.started_at is None else round(run.started_at),
            "base": matches.get("base"),
            "tuned": matches.get("tuned"),
        }
        row = [told[name] for name in COLUMNS]
        if row != entry.row:
            self._version += 1
            entry.row, entry.version = row, self._version
