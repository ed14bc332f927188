"""A job that was taken from a queue of several servers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TakenJob:
    """As it was queued, how many owners it has lost, and the last one, dead, or None."""

    id: str
    spec: str
    losses: int
    lost: str | None
