"""Jobs that waited in the queue of a server that ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tunixrt_core.errors import TunixRTError

log = logging.getLogger(__name__)


class Known(NamedTuple):
    """The jobs in the queue of a home when a server begins, by id."""

    followed: set[str]  # by servers that are alive
    left: list[str]  # by servers that are gone, in their order


@dataclass(frozen=True, slots=True)
class Left:
    """One job: how to queue it again, and what to do if that is not possible any more. `since` orders them."""

    id: str
    since: int  # nanoseconds; when it was queued
    submit: Callable[[], object]  # raises TunixRTError
    refused: Callable[[str], object] = lambda why: None


def queue_again(left: Iterable[Left], order: Sequence[str] = ()) -> list[str]:
    """Queue jobs in the order in which they waited: those in `order` in that, the others between them by their time.

    The ids of those that wait again; one that cannot be queued, such as for a changed data file, keeps no other one
    from it.
    """
    queued = []
    for job in _ordered(sorted(left, key=lambda job: job.since), order):
        try:
            job.submit()
        except TunixRTError as error:
            log.warning("%s is not queued again: %s", job.id, error)
            job.refused(f"It waited in the queue of a server that ended, and cannot be queued again: {error}")
        else:
            log.info("%s is queued again: its server ended before it began.", job.id)
            queued.append(job.id)
    return queued


def _ordered(jobs: Sequence[Left], order: Sequence[str]) -> Iterator[Left]:
    """Each job of the order has the place of one of them."""
    by_id = {job.id: job for job in jobs}
    placed = iter([by_id[job_id] for job_id in order if job_id in by_id])
    known = set(order)
    return (next(placed) if job.id in known else job for job in jobs)
