"""The Pipeline of a home, its namespaces and its construction. Read this first.

A script, the command, the API and the pages all work through a Pipeline:

    with open_home() as rt:
        rt.traces.ingest(Path("traces.jsonl"))
        rt.datasets.build(DatasetSpec("mine"))
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny"))
        rt.queue.wait()
        rt.evaluations.start(run.id)
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tunixrt_core.errors import TunixMissing
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from tunixrt_core.home.audit import AuditLog
    from tunixrt_core.home.drafts import Drafts
    from tunixrt_core.jobs.requests import Requests
    from tunixrt_core.jobs.spec import Executor, Follower, JobSpec
    from tunixrt_core.jobs.waiting.left import Left
    from tunixrt_core.jobs.waiting.shared import SharedQueue
    from tunixrt_core.pipeline.acts import Acts
    from tunixrt_core.pipeline.namespaces.datasets import Datasets
    from tunixrt_core.pipeline.namespaces.evaluations import Evaluations
    from tunixrt_core.pipeline.namespaces.exports import Exports
    from tunixrt_core.pipeline.namespaces.home import Home
    from tunixrt_core.pipeline.namespaces.manifests import Manifests
    from tunixrt_core.pipeline.namespaces.model_exports import ModelExports
    from tunixrt_core.pipeline.namespaces.playground import Playground
    from tunixrt_core.pipeline.namespaces.queue import AcceleratorQueue
    from tunixrt_core.pipeline.namespaces.runs import Runs
    from tunixrt_core.pipeline.namespaces.traces import Traces
    from tunixrt_core.pipeline.namespaces.users import Users
    from tunixrt_core.pipeline.namespaces.watch import Watch

log = logging.getLogger(__name__)

_UPKEEP_SECONDS = 5.0  # that the end waits for an import or a database check, which notices it between traces


class Pipeline:
    """Everything in one home, one namespace per topic. Thread-safe: pages, API and worker share one.

    A namespace is imported and made at its first use, so that a command or a page pays for what it uses.
    """

    def __init__(self, settings: Settings, store: Store, jobs: JobManager) -> None:
        self.settings = settings
        self.store = store
        self.jobs = jobs
        self.registry = Registry(store, settings.runs_dir)
        # two clicks on Start must not both find that there is no run yet
        self._starting = threading.Lock()

    # --- namespaces, in the order of the data ------------------------------------------------------------------------

    @made_once
    def traces(self) -> Traces:
        from tunixrt_core.pipeline.namespaces.traces import Traces

        return self.acts.guard("traces", Traces(self.store))

    @made_once
    def datasets(self) -> Datasets:
        from tunixrt_core.pipeline.namespaces.datasets import Datasets

        return self.acts.guard("datasets", Datasets(self.settings, self.store, self.requests))

    @made_once
    def exports(self) -> Exports:
        from tunixrt_core.pipeline.namespaces.exports import Exports

        return self.acts.guard("exports", Exports(self.settings, self.store, self.datasets))

    @made_once
    def manifests(self) -> Manifests:
        from tunixrt_core.pipeline.namespaces.exports import Exports
        from tunixrt_core.pipeline.namespaces.manifests import Manifests

        # the rows of a manifest are a file of the home, which nobody has asked for
        exports = Exports(self.settings, self.store, self.datasets)
        made = Manifests(self.settings, self.store, self.jobs, self.registry, self.datasets, exports)
        return self.acts.guard("manifests", made)

    @made_once
    def runs(self) -> Runs:
        from tunixrt_core.pipeline.namespaces.runs import Runs

        made = Runs(self.settings, self.store, self.jobs, self.registry, self.requests, self._starting)
        return self.acts.guard("runs", made)

    @made_once
    def queue(self) -> AcceleratorQueue:
        from tunixrt_core.pipeline.namespaces.queue import AcceleratorQueue

        return self.acts.guard("queue", AcceleratorQueue(self.jobs))

    @made_once
    def model_exports(self) -> ModelExports:
        from tunixrt_core.pipeline.namespaces.model_exports import ModelExports

        return self.acts.guard("model_exports", ModelExports(self.jobs, self.registry, self.requests))

    @made_once
    def evaluations(self) -> Evaluations:
        from tunixrt_core.pipeline.namespaces.evaluations import Evaluations

        made = Evaluations(
            self.settings, self.store, self.jobs, self.registry, self.requests, self._starting, self.traces
        )
        return self.acts.guard("evaluations", made)

    @made_once
    def playground(self) -> Playground:
        from tunixrt_core.pipeline.namespaces.playground import Playground

        return self.acts.guard("playground", Playground(self.store, self.jobs, self.registry))

    @made_once
    def home(self) -> Home:
        from tunixrt_core.pipeline.namespaces.home import Home

        return self.acts.guard("home", Home(self.settings, self.store, self.jobs, self.registry))

    @made_once
    def watch(self) -> Watch:
        from tunixrt_core.pipeline.namespaces.watch import Watch

        return Watch(self.settings, self.store, self.queue, self.home)

    @made_once
    def users(self) -> Users:
        from tunixrt_core.pipeline.namespaces.users import Users

        return self.acts.guard("users", Users(self.store))

    # --- what the namespaces share -----------------------------------------------------------------------------------

    @made_once
    def audit(self) -> AuditLog:
        from tunixrt_core.home.audit import AuditLog

        return AuditLog(self.settings.audit_dir)

    @made_once
    def acts(self) -> Acts:
        from tunixrt_core.pipeline.acts import Acts

        return Acts(self.audit)

    @made_once
    def requests(self) -> Requests:
        from tunixrt_core.jobs.requests import Requests

        return Requests(self.store.requests)

    @made_once
    def drafts(self) -> Drafts:
        from tunixrt_core.home.drafts import Drafts

        return Drafts(self.settings.drafts_dir)

    def queue_again(self) -> list[str]:
        """Queue the runs, evaluations and exports of models that waited when the server of this home ended, in
        their order. Returns their ids; none without Tunix.
        """
        from tunixrt_core.jobs.waiting.left import queue_again

        with self.jobs.sharing(self._follower) as known:
            followed = self._follow_again() | known.followed
            left = [job for job in self._left_in_queue() if job.id not in followed]
            if not left:
                return []
            try:
                self.jobs.backend.require()
            except TunixMissing:
                return []
            return queue_again(left, known.left)

    def _left_in_queue(self) -> list[Left]:
        return [*self.runs.left_in_queue(), *self.evaluations.left_in_queue(), *self.model_exports.left_in_queue()]

    def _follow_again(self) -> set[str]:
        """Follow the jobs that the last server of this home left to workers of a cluster. Their ids."""
        left = self.jobs.left()
        for spec in left:
            log.info("%s is followed again: the last server left it to a worker of the cluster.", spec.id)
            self.jobs.submit(spec, self._follower(spec))
        return {spec.id for spec in left}

    def _follower(self, spec: JobSpec) -> Follower:
        if spec.kind == "train":
            return self.jobs.trainings
        return self.evaluations.queued if spec.kind == "evaluate" else self.model_exports.queued

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the running job (a run keeps its last checkpoint) and close the database."""
        used = vars(self)  # closing creates no namespace
        if "traces" in used:
            self.traces.close(_UPKEEP_SECONDS)
        if "datasets" in used:
            self.datasets.builds.close()
        if "manifests" in used:
            self.manifests.slices.close(_UPKEEP_SECONDS)
        if "runs" in used:
            self.runs.close(_UPKEEP_SECONDS)
        if "home" in used:
            self.home.upkeep.close(_UPKEEP_SECONDS)
        self.jobs.close()
        if "playground" in used:
            self.playground.close()
        self.store.close()


def open_home(home: Path | str | None = None) -> Pipeline:
    """The Pipeline of a home: of this folder, or of `TUNIXRT_HOME` and the other settings of the environment.

    Raises InvalidSettings, StoreError or OutputError.
    """
    given = {} if home is None else {"TUNIXRT_HOME": str(home)}
    return open_pipeline(Settings.from_env({**os.environ, **given}))


def open_pipeline(settings: Settings, *, recover: bool = True, serves: bool = False) -> Pipeline:
    """The composition root: home, database, worker; `serves` shares the jobs of the home with its other servers.

    Raises StoreError, OutputError or InvalidSettings as sentences.
    """
    store = open_store(settings.database_url, home=settings.home)
    backend = TunixBackend(settings.models_dir, settings.compiled_dir)
    accelerator = Accelerator(settings.accelerator_lock)
    jobs = JobManager(
        store.runs,
        backend,
        accelerator,
        webhook=settings.webhook,
        elsewhere=_elsewhere(settings, settings.executor) if settings.executor else None,
        shared=shared_queue(settings, store, serves=serves),
    )
    pipeline = Pipeline(settings, store, jobs)
    if recover:
        pipeline.registry.recover()
    return pipeline


def shared_queue(settings: Settings, store: Store, *, serves: bool) -> SharedQueue | None:
    """The queue that the servers of this home share: in PostgreSQL, else in the home. None for who does its own jobs.

    Raises OutputError.
    """
    if settings.executor is not None or not (serves or settings.shares_queue):
        return None
    from tunixrt_core.jobs.waiting.one_machine import FileJobs, WorkerLock
    from tunixrt_core.jobs.waiting.shared import SharedQueue
    from tunixrt_core.util.files.home_id import home_id

    if settings.shares_queue:
        return SharedQueue(store.jobs, home_id(settings.home))
    jobs = FileJobs(settings.home / "queue.json")
    return SharedQueue(jobs, "", WorkerLock(settings.home / "worker.lock", jobs))


def _elsewhere(settings: Settings, address: str) -> Callable[[Executor], Executor]:
    from tunixrt_core.pipeline.elsewhere import elsewhere

    return elsewhere(settings, address)
