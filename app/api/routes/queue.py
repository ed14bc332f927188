"""The accelerator's queue: holder, waiting jobs, order."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from app.api.limits import JsonRoute
from app.api.models.bodies import MoveBody
from app.api.models.runs import Holder, Job, Queue
from app.api.shared import Pipe
from tunixrt_core.pipeline.pipeline import Pipeline

router = APIRouter(prefix="/queue", tags=["Queue"], route_class=JsonRoute)

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,109}$")]


@router.get("")
def show(pipeline: Pipe) -> Queue:
    """Who holds the accelerator, in this server or in another process of its home, and what waits here."""
    return _queue(pipeline)


@router.post("/{id}/remove")
def remove(id: JobId, pipeline: Pipe) -> Queue:
    """Take a job out of the queue; one that runs is stopped by POST /api/runs/{id}/stop. 404 where it does not wait."""
    pipeline.queue.remove(id)
    return _queue(pipeline)


@router.post("/{id}/move")
def move(id: JobId, body: MoveBody, pipeline: Pipe) -> Queue:
    """Let a job that waits go sooner or later. 404 where it does not wait."""
    pipeline.queue.move(id, body.by)
    return _queue(pipeline)


def _queue(pipeline: Pipeline) -> Queue:
    found = pipeline.queue.state()
    holder = found.holder
    return Queue(
        holder=holder
        and Holder(run=holder.run, kind=holder.kind, since=holder.since, pid=holder.pid, here=holder.ours),
        waiting=[Job(**asdict(job)) for job in found.waiting],
    )
