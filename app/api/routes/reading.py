"""Traces to read: one in reading order, and listings of one line per trace."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response

from app.api.limits import JsonRoute
from app.api.models.reading import Reading, Summary, SummaryPage
from app.api.models.traces import filters
from app.api.routes.curation import HASH, Ref
from app.api.shared import Pipe
from app.ui.reading.values import reading_of_stored
from tunixrt_core.store.query import TraceQuery

router = APIRouter(route_class=JsonRoute)

MAX_SUMMARIES = 200


@router.get("/summaries")
def summaries(
    pipeline: Pipe,
    wanted: Annotated[TraceQuery, Depends(filters)],
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
    start: Annotated[
        str | None, Query(pattern=HASH, description="Hash of a trace that the page begins with, in place of `after`.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_SUMMARIES)] = 50,
) -> SummaryPage:
    """A page of traces as one line each, newest first. `start` begins at a trace, if it matches the filters."""
    cursor = after if start is None else pipeline.traces.cursor_at(start)
    found = pipeline.traces.page(wanted, after=cursor, limit=limit)
    return SummaryPage(traces=[Summary.of(stored) for stored in found.items], next=found.next)


@router.get("/{id}/reading", response_model=Reading)
def reading(id: Ref, pipeline: Pipe) -> Response:
    """One trace in reading order, as the dashboard shows it."""
    found = reading_of_stored(pipeline.traces.get(id))
    # not through the model: validating the 20,000 steps of a long trace would take most of the time
    return Response(orjson.dumps(found), media_type="application/json")
