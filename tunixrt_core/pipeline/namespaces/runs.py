"""Runs: start, read, stop, resume and compare."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import BrokenFile, Conflict
from tunixrt_core.pipeline.asking import ask_to_save
from tunixrt_core.runs.annotations import Annotations
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Metric, SampleAnswer
from tunixrt_core.runs.record import Run, RunState
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from tunixrt_core.evaluation.reports.run_summary import RunSummary
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.jobs.registry.table import RunTable, TableUpdate
    from tunixrt_core.jobs.requests import Requests
    from tunixrt_core.jobs.waiting.left import Left
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.manifest.variants import Difference, Parent
    from tunixrt_core.pipeline.namespaces.starting import RunStarts
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.query import Page
    from tunixrt_core.store.store import Store
    from tunixrt_core.training.base_model import BaseCheck
    from tunixrt_core.training.learning_rate import RateChange, ScheduleChoice


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """A comparison of runs: the settings of their manifests, and their results, in the order of `runs`."""

    runs: tuple[Run, ...]
    settings: tuple[Difference, ...]  # all of them
    summaries: tuple[RunSummary, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(each for each in self.settings if each.differs)


class Runs:
    """The runs of a home."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: JobManager,
        registry: Registry,
        requests: Requests,
        starting: threading.Lock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._requests = requests
        self._starting = starting

    @made_once
    def _starts(self) -> RunStarts:
        from tunixrt_core.pipeline.namespaces.starting import RunStarts

        return RunStarts(self._settings, self._store, self._jobs, self._registry, self._requests, self._starting)

    def start(
        self,
        manifest: RunManifest,
        *,
        request_id: str | None = None,
        allow: Iterable[str] = (),
        parent: str | None = None,
        processes: int | None = None,
    ) -> Run:
        """Queue a run. A `request_id` that was used before returns the run that it started, and starts none.

        The worker makes the preflight before it trains; findings with a code in `allow` do not block it. `parent` is
        the run that this one is a clone of, `processes` how many machines of a Ray cluster train it together, one
        process each: by default one, or as many as its slice has hosts. If the output_dir is a numbered folder of this
        home that holds a run by now, the next one is taken. Raises NotFound if the parent is missing, TunixMissing
        without Tunix, Conflict if another output_dir already holds a run, OutputError if it cannot be written,
        RequestReused if the `request_id` started something else, InvalidInput for several processes without a cluster.
        """
        return self._starts.start(manifest, request_id, sorted(allow), parent, processes)

    def asked_by(self, manifest: RunManifest) -> dict[str, Any]:
        """What a manifest requests, without a folder that this home chose, as the next one differs."""
        return self._starts.asked_by(manifest)

    def page(self, *, limit: int = 50, after: str | None = None) -> Page[Run]:
        """Runs, newest first, with the status in their folders."""
        return self._registry.page(limit=limit, after=after)

    def table(self, since: str = "") -> TableUpdate:
        """All runs as rows of `TableUpdate`; with the version of an earlier answer, what has changed since."""
        return self._table.read(since)

    @made_once
    def _table(self) -> RunTable:
        from tunixrt_core.jobs.registry.table import RunTable

        return RunTable(self._store, self._registry)

    def named(self, run_ids: Iterable[str]) -> list[Run]:
        """The runs of these ids that there are, with the status in their folders, in no order."""
        return self._registry.named(run_ids)

    def get(self, run_id: str) -> Run:
        return self._registry.run(run_id)

    def look(self, run_id: str) -> tuple[Run, RunState | None]:
        """A run and its state, read once; None of a broken run. Raises NotFound."""
        return self._registry.look(run_id)

    def tag(self, run_id: str, tags: Iterable[str]) -> Run:
        """Give a run tags; those that it has already stay. Raises NotFound, InvalidQuery."""
        given = list(tags)
        return self._registry.annotate(run_id, lambda found: found.tagged(given))

    def untag(self, run_id: str, tags: Iterable[str]) -> Run:
        """Take tags from a run; one that it does not have is no error. Raises NotFound."""
        given = list(tags)
        return self._registry.annotate(run_id, lambda found: found.untagged(given))

    def note(self, run_id: str, text: str) -> Run:
        """Replace the note of a run; a blank one removes it. Raises NotFound, InvalidQuery."""
        return self._registry.annotate(run_id, lambda found: found.noted(text))

    def archive(self, run_id: str, archived: bool = True) -> Run:
        """Leave a run out of lists until archived ones are requested, or take it back. Raises NotFound."""
        return self._registry.annotate(run_id, lambda found: replace(found, archived=archived))

    def annotate(
        self,
        run_id: str,
        *,
        add_tags: Iterable[str] = (),
        remove_tags: Iterable[str] = (),
        note: str | None = None,
        archived: bool | None = None,
    ) -> Run:
        """All of these at once; None leaves the note or the archive mark as it is. Raises NotFound, InvalidQuery."""
        added, removed = list(add_tags), list(remove_tags)

        def change(found: Annotations) -> Annotations:
            found = found.untagged(removed).tagged(added)
            found = found if note is None else found.noted(note)
            return found if archived is None else replace(found, archived=archived)

        return self._registry.annotate(run_id, change)

    def close(self, timeout: float) -> None:
        """End the reading of folders in the background."""
        if "_table" in vars(self):
            self._table.close(timeout)

    def manifest(self, run_id: str) -> RunManifest:
        """The manifest of a run. Raises NotFound, and BrokenFile for a broken run."""
        return self._registry.whole(run_id)[1]

    def by_request(self, request_id: str) -> Run | None:
        """The run that an earlier start with this request id made, if any."""
        return self._registry.run_by_request(request_id)

    def folder(self, run_id: str) -> RunDir:
        return RunDir(Path(self._store.runs.get(run_id).directory))

    def state(self, run_id: str) -> RunState:
        """What a run is doing: phase, train step, device, totals. Raises NotFound for an unknown run."""
        return self.state_of(self._registry.run(run_id))

    def state_of(self, run: Run) -> RunState:
        """As `state`, of a run that was read a moment ago."""
        return self._registry.state(run)

    def metrics(self, run_id: str, since: int = 0) -> tuple[list[Metric], int]:
        """Metrics records after the cursor `since`, and the next cursor."""
        return self.folder(run_id).metrics(since)

    def samples(self, run_id: str) -> list[SampleAnswer]:
        """The model's answers to the fixed prompts at each evaluation."""
        return self.folder(run_id).samples()[0]

    def resume(
        self,
        run_id: str,
        *,
        train_steps: int | None = None,
        epochs: float | None = None,
        schedule: ScheduleChoice | None = None,
        processes: int | None = None,
        request_id: str | None = None,
    ) -> Run:
        """Continue from the last checkpoint of a run that is over, with a new duration if one is given.

        The learning rate then follows the schedule of the longer run; with `schedule` it keeps its last rate (`keep`),
        or the schedule starts again over the new train steps (`restart`); see `rate_change`. `processes` as of `start`;
        by default as many as before. A `request_id` that was
        used before resumes nothing. Raises Busy if the run is not over, Conflict if it finished and no new duration is
        given or the duration is not longer than what is done, RequestReused.
        """
        return self._starts.resume(run_id, request_id, train_steps, epochs, schedule, processes)

    def rate_change(
        self,
        run_id: str,
        *,
        train_steps: int | None = None,
        epochs: float | None = None,
        schedule: ScheduleChoice | None = None,
    ) -> RateChange | None:
        """What `resume` with the same values would do to the learning rate; None where it leaves the schedule.

        Raises as `resume` does.
        """
        return self._starts.rate_change(run_id, train_steps, epochs, schedule)

    def left_in_queue(self) -> list[Left]:
        """The runs that waited, to be started or resumed, when the server of this home ended."""
        return list(self._starts.left_in_queue())

    def stop(self, run_id: str) -> Run:
        """Ask a run to stop: it ends after the current train step and keeps a checkpoint. Raises Conflict if over."""
        run = self._registry.run(run_id)
        if not self._jobs.stop(run.id):
            if run.status.over:
                raise Conflict(f"{run.id} is over ({run.status}); there is nothing to stop.")
            RunDir(Path(run.directory)).stop_file.touch()  # another process runs it
        return self._registry.run(run_id)

    def save_checkpoint(self, run_id: str) -> Run:
        """Ask a run, in any process, to save a checkpoint after the current train step, and to continue.

        Raises Conflict if it does not train.
        """
        run = self._registry.run(run_id)
        ask_to_save(run.id, RunDir(Path(run.directory)))
        return run

    def base(self, run_id: str, *, whole: bool = False) -> BaseCheck:
        """Compare the files of a run's base model with those that it was trained on; `whole` by their whole sha256.

        Raises NotFound for a run without a record, ModelError where the model is not on this machine.
        """
        from tunixrt_core.training.base_model import check_base

        return check_base(*self._base_of(run_id), whole=whole)

    def accept_base(self, run_id: str) -> BaseCheck:
        """Accept the files on this machine as the run's base from now on; the record keeps what changed. Raises as
        `base` does.
        """
        from tunixrt_core.training.base_model import accept_base

        accept_base(*self._base_of(run_id))
        return self.base(run_id)

    def _base_of(self, run_id: str) -> tuple[RunDir, RunManifest, Path]:
        from tunixrt_core.training.base_model import directory_of

        run, manifest = self._registry.whole(run_id)
        return RunDir(Path(run.directory)), manifest, directory_of(manifest, self._settings.models_dir)

    def problems(self, run_id: str) -> list[BrokenFile]:
        """Everything in a run's folder that cannot be read, each file once. Reads the whole folder."""
        from tunixrt_core.runs.health import problems_of

        return problems_of(self.folder(run_id))

    def move_aside(self, run_id: str) -> Path:
        """Move a broken run to `aside` in the home, off the list, and return where it is now.

        Raises NotFound, Conflict for a run that is not broken, OutputError.
        """
        return self._registry.move_aside(run_id)

    def parent(self, run: Run) -> Parent | None:
        """The run that this one was cloned from, and what was changed; None of a run that is no clone."""
        from tunixrt_core.manifest.variants import parent_of

        return parent_of(RunDir(Path(run.directory)))

    def compare(self, run_ids: Sequence[str]) -> RunsCompared:
        """Compare runs. Raises NotFound for a missing one, BrokenFile for a broken one."""
        from tunixrt_core.evaluation.reports.run_summary import summarise
        from tunixrt_core.manifest.variants import side_by_side

        found = [self._registry.whole(run_id) for run_id in run_ids]
        runs, manifests = tuple(run for run, _ in found), [manifest for _, manifest in found]
        return RunsCompared(
            runs, tuple(side_by_side(manifests)), tuple(summarise(RunDir(Path(run.directory))) for run in runs)
        )
