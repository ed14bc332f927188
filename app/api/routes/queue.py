"""The accelerator's queue: holder, waiting jobs, order."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from app.api.limits import JsonRoute
from app.api.models.bodies import MoveBody
from app.api.models.runs import Holder, Job, Queue
from app.api.parts import Part
from app.api.shared import Pipe
from tunixrt_core.pipeline.pipeline import Pipeline

router = Part(prefix="/queue", tags=["Queue"], route_class=JsonRoute)

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,109}$")]


@router.get("")
def show(pipeline: Pipe) -> Queue:
    """Job that holds the accelerator, in this server or another process of its home, and the jobs waiting."""
    return _queue(pipeline)


@router.post("/{id}/remove")
def remove(id: JobId, pipeline: Pipe) -> Queue:
    """Remove a waiting job. To stop a running one, use POST /api/runs/{id}/stop. 404 if it is not waiting."""
    pipeline.queue.remove(id)
    return _queue(pipeline)


@router.post("/{id}/move")
def move(id: JobId, body: MoveBody, pipeline: Pipe) -> Queue:
    """Move a waiting job forward or back in the queue. 404 if it is not waiting, 409 if it waits at another server."""
    pipeline.queue.move(id, body.by)
    return _queue(pipeline)


def _queue(pipeline: Pipeline) -> Queue:
    found = pipeline.queue.state()
    holder = found.holder
    return Queue(
        holder=holder
        and Holder(run=holder.run, kind=holder.kind, since=holder.since, pid=holder.pid, here=holder.ours),
        waiting=[Job(id=job.id, run=job.run, kind=job.kind) for job in found.waiting],
    )
