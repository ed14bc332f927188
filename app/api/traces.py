"""Traces: add one, list, read, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.answers import AddedTrace, StoredTrace, TracePage
from app.api.bodies import TraceBody
from app.api.limits import JsonRoute
from app.api.shared import Pipe
from tunixrt_core.store.query import MAX_PAGE, TraceQuery
from tunixrt_core.store.query import StoredTrace as Stored
from tunixrt_core.traces import Trace

router = APIRouter(prefix="/traces", tags=["Traces"], route_class=JsonRoute)

Ref = Annotated[str, Path(pattern="^[0-9a-f]{8,64}$", description="The trace's hash, or at least its first 8 digits.")]


@router.post("", status_code=201, responses={200: {"model": AddedTrace, "description": "It was there already."}})
def add(body: TraceBody, response: Response, pipeline: Pipe) -> AddedTrace:
    """Store one trace. 200 with `duplicate: true` where it is there already."""
    trace = Trace.from_dict(body.model_dump(exclude_none=True))
    report = pipeline.add_traces([trace])
    if report.duplicate:
        response.status_code = 200
    return AddedTrace(id=trace.content_hash, duplicate=bool(report.duplicate))


@router.get("")
def page(
    pipeline: Pipe,
    q: Annotated[str, Query(max_length=1000, description="Words in prompt, steps or answer.")] = "",
    source: str | None = None,
    model: str | None = None,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> TracePage:
    """A page of traces, newest first."""
    found = pipeline.traces(TraceQuery(q, source, model), after=after, limit=limit)
    return TracePage(traces=[_answer(stored) for stored in found.items], next=found.next)


@router.get("/{id}")
def one(id: Ref, pipeline: Pipe) -> StoredTrace:
    """One trace."""
    return _answer(pipeline.trace(id))


@router.delete("/{id}", status_code=204)
def delete(id: Ref, pipeline: Pipe) -> None:
    """Delete a trace. Dataset versions that hold it go on naming it."""
    pipeline.delete_trace(id)


def _answer(stored: Stored) -> StoredTrace:
    return StoredTrace(id=stored.id, created_at=stored.created_at, trace=stored.trace.to_dict())
