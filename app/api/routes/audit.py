"""Routes of the audit log, and of who asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.api.models.audit import Entry, EntryList, Me
from app.api.shared import Pipe
from tunixrt_core.home.audit import AuditQuery, Outcome
from tunixrt_core.util.actors import current_actor

router = APIRouter(tags=["System"])

Word = Annotated[str, Query(max_length=200)]


@router.get("/me")
def me() -> Me:
    """Whose token this is, and what it may do."""
    actor = current_actor()
    return Me(name=actor.name, role="write" if actor.writes else "read")


@router.get("/audit")
def audit(
    pipeline: Pipe,
    who: Word = "",
    action: Word = "",
    object: Annotated[str, Query(max_length=200, description="Id or name of the object.")] = "",
    outcome: Outcome | Literal[""] = "",
    since: Annotated[datetime | None, Query(description="Included; UTC where it names no zone.")] = None,
    until: Annotated[datetime | None, Query(description="Not included: `at` of the last entry of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EntryList:
    """Who did what, newest first. What only reads is not in it, but for exports and downloads of models."""
    query = AuditQuery(who, action, object, outcome, since, until)
    return EntryList(entries=[Entry.model_validate(entry) for entry in pipeline.audit.entries(query, limit=limit)])
