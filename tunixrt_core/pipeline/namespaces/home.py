"""The home as a whole: overview, attention, device and upkeep."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunixrt_core.errors import Busy, NotFound
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.home import disk
from tunixrt_core.home.attention import Attention
from tunixrt_core.home.lookout import Lookout
from tunixrt_core.home.overview import BestScore, CheckedStore, Overview
from tunixrt_core.jobs.holding import Holding, held_by_evaluation, held_by_training, memory_of
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run
from tunixrt_core.store.query import MAX_PAGE
from tunixrt_core.tunix_backend import availability
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.files.tails import tail
from tunixrt_core.util.host import HostInfo, host_info, memory_use
from tunixrt_core.util.tasks import Task, Tasks

CHECK, MEASURE = "database check", "disk use"  # keys of upkeep tasks

if TYPE_CHECKING:
    from tunixrt_core.home.disk import DiskUse
    from tunixrt_core.home.repair import Finding
    from tunixrt_core.jobs.accelerator import Holder
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.runs.evaluation_record import EvalRecord
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.backup import Copy, Health, Progress
    from tunixrt_core.store.store import Store

_WEEK = timedelta(days=7)

_MEASURED_FOR = 300.0  # seconds until sizes on the disk are measured again

_EVALS = 200  # newest evaluations that are looked at, and in which a run's scores are found


@dataclass(frozen=True, slots=True)
class TunixStatus:
    """What the Tunix panel shows. No import of jax or tunix is needed to know it."""

    available: bool
    version: str | None
    jax_version: str | None
    install: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Home:
    """The home as a whole. Nothing here reads the folder of every run."""

    def __init__(self, settings: Settings, store: Store, jobs: JobManager, registry: Registry) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self.upkeep: Tasks[None] = Tasks("upkeep")
        self._disk: DiskUse | None = None
        self._lookout = Lookout(settings, store, registry)

    def overview(self, *, metric: str = "exact_match", shown: int = 6, now: datetime | None = None) -> Overview:
        """Counts in all and of this week, the newest of each kind, and the best score."""
        since = (now or datetime.now(UTC)) - _WEEK
        counts = self._store.counts
        newest = self._registry.page(limit=shown, after=None).items
        for run in newest:
            self._registry.evals.look_for(run)
        return Overview(
            traces=counts.traces(since),
            dataset_versions=counts.dataset_versions(since),
            runs=counts.runs(since),
            newest_version=next(iter(self._store.datasets.list(limit=1)), None),
            newest_runs=newest,
            evaluations=tuple(self._store.evals.list(limit=_EVALS)),
            best=self._best(metric),
        )

    def _best(self, metric: str) -> BestScore | None:
        record = self._store.evals.best(metric)
        if record is None:
            return None
        value = float(record.metrics[metric])
        bases = (r for r in self._store.evals.list(record.run_id) if r.target == "base" and r.setup == record.setup)
        base = next((r.metrics[metric] for r in bases if r.metrics.get(metric) is not None), None)
        return BestScore(value, record, None if base is None else value - float(base))

    def attention(self, evaluations: Sequence[EvalRecord] | None = None) -> list[Attention]:
        """Failed, warned or stale items that are not marked as seen, the most severe first.

        Looks at the newest 20 runs, troubled runs and datasets, and at the newest 200 evaluations, which may be given
        as an overview has them.
        """
        records = self._store.evals.list(limit=_EVALS) if evaluations is None else evaluations
        return self._lookout.items(records, self.checked_store())

    def mark_seen(self, keys: Iterable[str]) -> None:
        """Mark these items as seen; a new one about the same subject is shown again."""
        self._lookout.seen.add(keys)

    def holding(self) -> Holding:
        """The holder of the accelerator, its estimated time left, and its memory."""
        holder = self._jobs.queue().holder
        if holder is None:
            return Holding(None, None, None, memory_use(os.getpid()))
        try:
            run = self._store.runs.get(holder.run)
        except NotFound:  # of a command with a folder of its own
            return Holding(holder, None, None, memory_of(holder))
        return replace(self._held_for(run, holder), name=run.name)

    def _held_for(self, run: Run, holder: Holder) -> Holding:
        if holder.kind == "evaluate":
            states = (EvalDir.of(record).state() for record in self._store.evals.list(run.id))
            return held_by_evaluation(holder, [s for s in states if s and not s.status.over])
        if holder.kind == "train":
            return held_by_training(holder, RunDir(Path(run.directory)))
        return Holding(holder, None, None, memory_of(holder))

    def disk_use(self) -> DiskUse | None:
        """Sizes of the home's parts, as last measured; None before that. Measured again in the background when old."""
        if self._disk is None or time.time() - self._disk.measured_at > _MEASURED_FOR:
            self.upkeep.start(self._measure, key=MEASURE)
        return self._disk

    def measure_disk(self) -> Task[None]:
        """Measure the home's parts in the background, now."""
        return self.upkeep.start(self._measure, key=MEASURE)

    def _measure(self, on_progress: Progress, stop: threading.Event) -> None:
        self._disk = disk.measure(self._settings, on_progress, stop)

    def empty_compile_cache(self) -> int:
        """Remove what XLA compiled; returns its bytes. The next start compiles again.

        Raises Busy while something holds the accelerator, OutputError.
        """
        if holder := self._jobs.queue().holder:
            raise Busy(f"The compile cache is in use: {holder}. Empty it when that is over.")
        freed = disk.empty_compile_cache(self._settings)
        self.measure_disk()
        return freed

    def check_store(
        self, on_progress: Progress = lambda phase, done, total: None, stop: threading.Event | None = None
    ) -> Health:
        """Read every page and every trace, and record the problems found as the last check."""
        began = time.time()
        health = self._store.check(on_progress, stop)
        found = {**asdict(health), "checked_at": time.time(), "seconds": round(time.time() - began, 3)}
        write_json(self._settings.check_file, found)
        return health

    def look_through(self) -> list[Finding]:
        """Problems of the home's files and runs, active ones left out. Reads every file of a run but checkpoints."""
        return self._look_through(repair=False)

    def _look_through(self, *, repair: bool) -> list[Finding]:
        from tunixrt_core.home.repair import look_through

        page = self._registry.page(limit=MAX_PAGE, after=None)
        runs = list(page.items)
        while page.next is not None:
            page = self._registry.page(limit=MAX_PAGE, after=page.next)
            runs += page.items
        return look_through(self._settings, runs, self._registry.move_aside, repair=repair)

    def repair(self) -> list[Finding]:
        """As `look_through`, and repair each problem, or move it aside, if that is possible."""
        return self._look_through(repair=True)

    def start_check(self) -> Task[None]:
        """Check the database in the background; a check that runs already is returned."""
        return self.upkeep.start(self._check, key=CHECK)

    def stop_check(self, task_id: str) -> None:
        """Stop a check of the database in the background. Raises NotFound."""
        self.upkeep.stop(task_id)

    def _check(self, on_progress: Progress, stop: threading.Event) -> None:
        self.check_store(on_progress, stop)

    def checked_store(self) -> CheckedStore | None:
        """The result of the last check, by any process; None before the first one, and if it cannot be read."""
        told = read_object_or_none(self._settings.check_file)
        if told is None:
            return None
        from tunixrt_core.store.backup import Health

        try:
            kept = msgspec.convert(told, Health)
            return CheckedStore(kept, float(told["checked_at"]), float(told["seconds"]))
        except (msgspec.ValidationError, KeyError, TypeError, ValueError):
            return None  # written by hand or half; the next check writes it again

    def server_log(self, lines: int = 200) -> str:
        """The last lines of the server's log; empty where there is none."""
        return tail(self._settings.server_log, lines)

    def diagnostics(self) -> Iterator[bytes]:
        """A zip of diagnostics, without secrets and without any text of traces or models."""
        from tunixrt_core.home.diagnostics import diagnostics

        return diagnostics(self._settings, os.environ, queue=self._jobs.queue(), runs=self._store.runs.index().values())

    @staticmethod
    def diagnostics_name() -> str:
        """The name to save the zip under, with the time it was made."""
        from tunixrt_core.home.diagnostics import file_name

        return file_name()

    def backup(self, path: Path) -> Copy:
        """Copy the database to a new file, while it is in use, and check the copy."""
        return self._store.backup(path)

    def tunix_status(self) -> TunixStatus:
        return TunixStatus(
            availability.is_tunix_available(),
            availability.tunix_version(),
            availability.jax_version(),
            availability.INSTALL,
        )

    def host(self) -> HostInfo:
        return host_info(self._settings.home)
