"""Traces: add one or many, list, read, delete."""

from __future__ import annotations

import tempfile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.api.answers import AddedTrace, ImportReport, StoredTrace, TracePage
from app.api.bodies import TraceBody
from app.api.limits import JSON_TYPES, LINES_TYPES, JsonRoute, LinesRoute
from app.api.shared import Pipe
from tunixrt_core.store.query import MAX_PAGE, TraceQuery
from tunixrt_core.store.query import StoredTrace as Stored
from tunixrt_core.traces import Trace

router = APIRouter(prefix="/traces", tags=["Traces"], route_class=JsonRoute)
lines_router = APIRouter(route_class=LinesRoute)

Ref = Annotated[str, Path(pattern="^[0-9a-f]{8,64}$", description="The trace's hash, or at least its first 8 digits.")]
_IN_MEMORY = 4 << 20
_BATCH: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A JSON list, or JSON Lines, in any format that can be imported.",
        "content": {
            **{kind: {"schema": {"type": "array", "items": {"type": "object"}}} for kind in sorted(JSON_TYPES)},
            **{kind: {"schema": {"type": "string"}} for kind in sorted(LINES_TYPES)},
        },
    }
}


@router.post("", status_code=201, responses={200: {"model": AddedTrace, "description": "It was there already."}})
def add(body: TraceBody, response: Response, pipeline: Pipe) -> AddedTrace:
    """Store one trace. 200 with `duplicate: true` where it is there already."""
    trace = Trace.from_dict(body.model_dump(exclude_none=True))
    report = pipeline.add_traces([trace])
    if report.duplicate:
        response.status_code = 200
    return AddedTrace(id=trace.content_hash, duplicate=bool(report.duplicate))


@lines_router.post("/batch", openapi_extra=_BATCH)
async def add_batch(
    request: Request, pipeline: Pipe, format: str = "auto", source: Annotated[str | None, Query(max_length=200)] = None
) -> ImportReport:
    """Import many traces in one transaction. Rejected rows are listed and do not stop the others."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for block in request.stream():
            await run_in_threadpool(spool.write, block)
        spool.seek(0)
        report = await run_in_threadpool(
            pipeline.ingest, cast(BinaryIO, spool), name="request body", format=format, source_label=source
        )
    return ImportReport.model_validate(report.to_dict())


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


router.include_router(lines_router)
