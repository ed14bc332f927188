"""Jobs that waited in the queue of a server that ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tunixrt_core.errors import TunixRTError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """One job: how to queue it again, and what to do if that is not possible any more. `since` orders them."""

    id: str
    since: int  # nanoseconds; when it was queued
    submit: Callable[[], object]  # raises TunixRTError
    refused: Callable[[str], object] = lambda why: None


def queue_again(left: Iterable[Left]) -> list[str]:
    """Queue jobs in the order in which they waited. The ids of those that wait again; one that cannot be queued, such
    as for a changed data file, keeps no other one from it.
    """
    queued = []
    for job in sorted(left, key=lambda job: job.since):
        try:
            job.submit()
        except TunixRTError as error:
            log.warning("%s is not queued again: %s", job.id, error)
            job.refused(f"It waited in the queue of a server that ended, and cannot be queued again: {error}")
        else:
            log.info("%s is queued again: its server ended before it began.", job.id)
            queued.append(job.id)
    return queued
