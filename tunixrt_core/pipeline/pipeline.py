"""READ FIRST. One object for a home: its namespaces in the order of the data, and where its parts are put together.

A script, the command, the API and the pages all work through a Pipeline:

    with open_home() as rt:
        rt.traces.ingest(Path("traces.jsonl"))
        rt.datasets.build(DatasetSpec("mine"))
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny"))
        rt.queue.wait()
        rt.evaluations.start(run.id)
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

from tunixrt_core.home.drafts import Drafts
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry import Registry
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.pipeline.datasets import Datasets
from tunixrt_core.pipeline.evaluations import Evaluations
from tunixrt_core.pipeline.exports import Exports
from tunixrt_core.pipeline.home import Home
from tunixrt_core.pipeline.manifests import Manifests
from tunixrt_core.pipeline.model_exports import ModelExports
from tunixrt_core.pipeline.playground import Playground
from tunixrt_core.pipeline.queue import AcceleratorQueue
from tunixrt_core.pipeline.runs import Runs
from tunixrt_core.pipeline.traces import Traces
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.tunix_backend.backend import TunixBackend

_UPKEEP_SECONDS = 5.0  # that the end waits for an import or a database check, which hears of it between traces


class Pipeline:
    """Everything in one home, one namespace per topic. Thread-safe: pages, API and worker share one."""

    def __init__(self, settings: Settings, store: Store, jobs: JobManager) -> None:
        self.settings = settings
        self.store = store
        self.jobs = jobs
        self.registry = Registry(store, settings.runs_dir)
        self.requests = Requests(store.requests)
        self.drafts = Drafts(settings.drafts_dir)
        # two clicks on Start must not both find that there is no run yet
        starting = threading.Lock()
        self.traces = Traces(store)
        self.datasets = Datasets(settings, store, self.requests)
        self.exports = Exports(settings, store, self.datasets)
        self.manifests = Manifests(settings, store, jobs, self.registry, self.datasets, self.exports)
        self.runs = Runs(settings, store, jobs, self.registry, self.requests, starting)
        self.queue = AcceleratorQueue(jobs)
        self.model_exports = ModelExports(jobs, self.registry, self.requests)
        self.evaluations = Evaluations(settings, store, jobs, self.registry, self.requests, starting, self.traces)
        self.playground = Playground(store, jobs, self.registry)
        self.home = Home(settings, store, jobs, self.registry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs (it keeps its last checkpoint) and close the database."""
        self.traces.imports.close(_UPKEEP_SECONDS)
        self.datasets.builds.close()
        self.home.upkeep.close(_UPKEEP_SECONDS)
        self.jobs.close()
        self.playground.close()
        self.store.close()


def open_home(home: Path | str | None = None) -> Pipeline:
    """The Pipeline of a home: of this folder, or of `TUNIXRT_HOME` and the other settings of the environment.

    Raises InvalidSettings, StoreError or OutputError.
    """
    given = {} if home is None else {"TUNIXRT_HOME": str(home)}
    return open_pipeline(Settings.from_env({**os.environ, **given}))


def open_pipeline(settings: Settings, *, recover: bool = True) -> Pipeline:
    """The composition root: home, database, worker. Raises StoreError or OutputError as sentences."""
    store = open_store(settings.database_url)
    jobs = JobManager(
        store.runs,
        TunixBackend(settings.models_dir, settings.compiled_dir),
        Accelerator(settings.accelerator_lock),
    )
    pipeline = Pipeline(settings, store, jobs)
    if recover:
        pipeline.registry.recover()
    return pipeline
