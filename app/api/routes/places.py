"""What the dashboard can go to by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from app.api.limits import JsonRoute
from app.api.models.places import Place, PlaceList
from app.api.parts import Part
from app.api.shared import Pipe
from tunixrt_core.manifest.manifest import HYPERPARAMETERS
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.query import TraceQuery

router = Part(prefix="/places", tags=["Server"], route_class=JsonRoute)

NEWEST = 200  # runs, and versions of datasets
TRACES = 8
_WORDS = 90  # letters of a prompt


@router.get("")
def listing(pipeline: Pipe, q: Annotated[str, Query(max_length=200)] = "") -> PlaceList:
    """Addresses in the dashboard: newest runs, versions of datasets and settings, or the traces with the words."""
    return PlaceList(places=list(_traces(pipeline, q) if q.strip() else _named(pipeline)))


def _named(pipeline: Pipeline) -> Iterator[Place]:
    tunix = pipeline.home.tunix_status().available
    if tunix:  # without it there is no page of runs
        for run in pipeline.runs.page(limit=NEWEST).items:
            detail = f"{run.status.value} · {run.id}"
            yield Place(kind="run", name=run.name, detail=detail, address=_address("run", run=run.id))
    for version in pipeline.datasets.versions()[:NEWEST]:
        address = _address("datasets", dataset=f"{version.name}:{version.version}")
        yield Place(kind="dataset", name=version.label, detail=f"{version.rows:,} rows", address=address)
    yield from _settings("new-run" if tunix else "tunix")


def _settings(page: str) -> Iterator[Place]:
    """Those of a run, found in its form, and those of the server."""
    for one in HYPERPARAMETERS.values():
        yield Place(kind="setting", name=one.label, detail=one.key, address=_address(page, find=one.label))
    for field in fields(Settings):
        name = f"TUNIXRT_{field.name.upper()}"
        yield Place(
            kind="setting",
            name=name.removeprefix("TUNIXRT_").replace("_", " ").capitalize(),
            detail=name,
            address="/system",
        )


def _traces(pipeline: Pipeline, words: str) -> Iterator[Place]:
    for stored in pipeline.traces.page(TraceQuery(text=words), limit=TRACES).items:
        prompt = " ".join(stored.trace.prompt.split())
        name = prompt if len(prompt) <= _WORDS else prompt[: _WORDS - 1] + "…"
        yield Place(kind="trace", name=name, detail=stored.id[:12], address=_address("traces", trace=stored.id))


def _address(page: str, **query: str) -> str:
    return f"/{page}?{urlencode(query)}"
