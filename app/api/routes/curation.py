"""Tags, notes, scores, prompt groups and differences of traces."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.limits import JsonRoute
from app.api.models.traces import (
    Facets,
    Group,
    GroupPage,
    NoteBody,
    ScoreName,
    ScoresBody,
    StoredTrace,
    TagsBody,
    Tally,
    TraceDiff,
)
from app.api.shared import Pipe
from tunixrt_core.store.query import MAX_PAGE
from tunixrt_core.traces.scores import ScoreKind

router = APIRouter(route_class=JsonRoute)

HASH = "^[0-9a-f]{8,64}$"
Ref = Annotated[str, Path(pattern=HASH, description="The trace's hash, or at least its first 8 digits.")]
Other = Annotated[str, Query(pattern=HASH, description="The trace's hash, or at least its first 8 digits.")]


@router.get("/facets")
def facets(pipeline: Pipe) -> Facets:
    """Values to filter by: sources, models, tags and names of scores, with their counts."""
    return Facets(
        sources=_tallies(pipeline.traces.sources()),
        models=_tallies(pipeline.traces.models()),
        tags=_tallies(pipeline.traces.tags()),
        scores=[
            ScoreName(name=one.name, kind=one.kind, count=one.count, min=one.min, max=one.max)
            for one in pipeline.traces.score_names()
        ],
    )


@router.get("/groups")
def groups(
    pipeline: Pipe,
    min_traces: Annotated[int, Query(ge=1, le=2**31 - 1)] = 2,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> GroupPage:
    """Prompts with several traces: how many are right, the shortest right one, and whether they agree."""
    page = pipeline.traces.prompt_groups(min_traces=min_traces, after=after, limit=limit)
    return GroupPage(groups=[Group.of(group) for group in page.items], next=page.next)


@router.get("/diff")
def diff(a: Other, b: Other, pipeline: Pipe) -> TraceDiff:
    """Two traces with their steps aligned, the words that differ, and the first step that differs."""
    return TraceDiff.model_validate(pipeline.traces.diff(a, b).to_dict())


@router.post("/{id}/tags")
def tags(id: Ref, body: TagsBody, pipeline: Pipe) -> StoredTrace:
    """Add tags to a trace and remove others."""
    if body.add:
        pipeline.traces.tag(id, body.add)
    if body.remove:
        pipeline.traces.untag(id, body.remove)
    return StoredTrace.of(pipeline.traces.get(id))


@router.put("/{id}/note")
def note(id: Ref, body: NoteBody, pipeline: Pipe) -> StoredTrace:
    """Replace the note of a trace."""
    pipeline.traces.note(id, body.text)
    return StoredTrace.of(pipeline.traces.get(id))


@router.post("/{id}/scores")
def scores(id: Ref, body: ScoresBody, pipeline: Pipe) -> StoredTrace:
    """Score a trace or its steps. A score replaces the one by the same scorer (and version)."""
    pipeline.traces.score(id, [score.given() for score in body.scores])
    return StoredTrace.of(pipeline.traces.get(id))


@router.delete("/{id}/scores", status_code=204)
def unscore(
    id: Ref,
    pipeline: Pipe,
    name: Annotated[str, Query(min_length=1, max_length=80)],
    scorer: Annotated[str, Query(min_length=1, max_length=80)],
    kind: ScoreKind = "human",
    step: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> None:
    """Remove the scores of a name that a scorer gave."""
    pipeline.traces.unscore(id, name, kind=kind, scorer=scorer, step=step)


def _tallies(found: list[tuple[str, int]]) -> list[Tally]:
    return [Tally(value=value, traces=number) for value, number in found]
