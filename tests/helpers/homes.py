"""Homes with an empty database from the start, whose runs are trained by the fake backend."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.databases import empty_database
from tests.helpers.fakes import FakeBackend
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.util.tasks import Task


def empty_home(home: Path, **environ: str) -> Settings:
    """The settings of a home with a database, empty where there was none. `environ`: settings beside its place."""
    settings = Settings.from_env({"TUNIXRT_HOME": str(home), **environ})
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    if not file.exists():
        empty_database(file)
    return settings


def fake_home(home: Path, backend: FakeBackend | None = None, **environ: str) -> Pipeline:
    """The Pipeline of a home, real but for the trainer; to be closed. `environ`: settings beside its place."""
    settings = empty_home(home, **environ)
    store = open_store(settings.database_url)
    return Pipeline(settings, store, JobManager(store.runs, backend or FakeBackend(), webhook=settings.webhook))


def upkeep_over(rt: Pipeline, key: str) -> Task[None]:
    """The last task of the home's upkeep with this key, when it is over."""
    task = rt.home.upkeep.last(key)
    assert task is not None
    return rt.home.upkeep.wait(task.id, 30)
