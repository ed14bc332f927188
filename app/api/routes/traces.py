"""Traces: add one, list, count, read, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.api.limits import JsonRoute, TraceRoute
from app.api.models.bodies import TraceBody
from app.api.models.datasets import HeldRows
from app.api.models.imports import AddedTrace
from app.api.models.traces import DeleteBody, Deleted, StoredTrace, TraceCount, TracePage, filters
from app.api.parts import Part
from app.api.routes import curation, reading
from app.api.routes.curation import Ref
from app.api.shared import Pipe
from tunixrt_core.store.query import MAX_PAGE, TraceQuery
from tunixrt_core.traces.trace import Trace

router = APIRouter()
adding = Part(prefix="/traces", tags=["Traces"], route_class=TraceRoute)
rest = Part(prefix="/traces", tags=["Traces"], route_class=JsonRoute)

Filters = Annotated[TraceQuery, Depends(filters)]


@adding.post("", status_code=201, responses={200: {"model": AddedTrace, "description": "The trace already exists."}})
def add(body: TraceBody, response: Response, pipeline: Pipe) -> AddedTrace:
    """Store one trace. 200 with `duplicate: true` if it already exists."""
    trace = Trace.from_dict(body.model_dump(exclude_none=True))
    new = pipeline.traces.add(trace)
    if not new:
        response.status_code = 200
    return AddedTrace(id=trace.content_hash, duplicate=not new)


@rest.get("")
def page(
    pipeline: Pipe,
    wanted: Filters,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> TracePage:
    """A page of traces, newest first."""
    found = pipeline.traces.page(wanted, after=after, limit=limit)
    return TracePage(traces=[StoredTrace.of(stored) for stored in found.items], next=found.next)


@rest.get("/count")
def count(pipeline: Pipe, wanted: Filters) -> TraceCount:
    """Number of matching traces. Exact up to 10,000; above, for all, one source, model or tag, and right or wrong."""
    number = pipeline.traces.count(wanted)
    return TraceCount(count=number, exact=number.exact)


@rest.post("/delete", response_model_exclude_unset=True)
def delete_many(body: DeleteBody, pipeline: Pipe) -> Deleted:
    """Delete all matching traces, in one transaction. Dataset versions that contain them still list them."""
    held = [HeldRows(**each.to_dict()) for each in pipeline.traces.held_by(body.query())]
    said = {"held_by": held} if held else {}
    if body.dry_run:
        number = pipeline.traces.count(body.query())
        return Deleted(count=number, exact=number.exact, deleted=False, **said)
    return Deleted(count=pipeline.traces.delete_matching(body.query()), exact=True, deleted=True, **said)


# before the routes with a trace hash, which would match these fixed paths too
rest.include_router(curation.router)
rest.include_router(reading.router)


@rest.get("/{id}")
def one(id: Ref, pipeline: Pipe) -> StoredTrace:
    """One trace, with its tags, note and scores."""
    return StoredTrace.of(pipeline.traces.get(id))


@rest.delete("/{id}", status_code=204)
def delete(id: Ref, pipeline: Pipe) -> None:
    """Delete a trace. Dataset versions that contain it still list it."""
    pipeline.traces.delete(id)


router.include_router(adding)
router.include_router(rest)
