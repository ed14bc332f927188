"""Requests and responses about traces, filters, tags, scores and groups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field, FiniteFloat

from app.api.models.bodies import Body
from app.api.models.datasets import HeldRows
from tunixrt_core.store.query import PromptGroup, TraceQuery
from tunixrt_core.store.query import StoredTrace as Stored
from tunixrt_core.traces.scores import GivenScore, ScoreKind

_MOST = 2**62  # more than any count, and within what a database can compare
Whole = Annotated[int | None, Query(ge=0, le=_MOST)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Score(BaseModel):
    name: str
    value: float
    step: int | None = Field(description="Step number, from 0; null for the whole trace.")
    kind: ScoreKind
    scorer: str
    version: str = Field(description="Version of an automatic scorer; empty for a person.")
    note: str | None
    against: str | None = Field(description="The hash of the trace that this one was compared with.")
    created_at: datetime


class Note(BaseModel):
    text: str
    written_at: datetime


class StoredTrace(BaseModel):
    id: str = Field(description="sha256 of the trace's canonical JSON.")
    created_at: datetime
    trace: dict[str, Any] = Field(
        description="The trace, with `messages`, `turns`, `tools` and `calls` where it is part of a conversation."
    )
    tags: list[str]
    note: Note | None
    scores: list[Score]

    @classmethod
    def of(cls, stored: Stored) -> StoredTrace:
        return cls.model_validate(stored.to_dict())


class TracePage(BaseModel):
    traces: list[StoredTrace]
    next: str | None = Field(description="Cursor to send as `after` for the next page; null on the last page.")


class TraceCount(BaseModel):
    count: int
    exact: bool = Field(description="False: counting stopped at this number, and more may match.")


class Deleted(BaseModel):
    count: int
    exact: bool = Field(description="Always true after a deletion; for a dry run as in the count.")
    deleted: bool = Field(description="False for a dry run.")
    held_by: list[HeldRows] = Field(
        [], description="Dataset versions that list them, with their runs and evaluations; absent where there are none."
    )


class Tally(BaseModel):
    value: str
    traces: int


class ScoreName(BaseModel):
    name: str
    kind: ScoreKind
    count: int
    min: float
    max: float


class Facets(BaseModel):
    """Values to filter by."""

    sources: list[Tally]
    models: list[Tally]
    tags: list[Tally]
    scores: list[ScoreName]


class Group(BaseModel):
    """The traces of one prompt."""

    key: str = Field(description="Send it as `group` to list the traces.")
    prompt: str
    traces: int
    right: int
    wrong: int
    pass_rate: float | None = Field(
        description="Share of right answers among those with a reference; null if none has one."
    )
    answers: int = Field(description="Number of different final answers; above 1 the traces disagree.")
    shortest_right: str | None = Field(description="The right trace of the fewest bytes.")

    @classmethod
    def of(cls, group: PromptGroup) -> Group:
        return cls.model_validate(group.to_dict())


class GroupPage(BaseModel):
    groups: list[Group]
    next: str | None = Field(description="Cursor to send as `after` for the next page; null on the last page.")


class Piece(BaseModel):
    text: str
    same: bool


class StepPair(BaseModel):
    a: int | None = Field(description="Step number, from 0; null if this trace has no step here.")
    b: int | None
    same: bool
    a_pieces: list[Piece] = Field(description="The step's text; `same` marks pieces that the other step has too.")
    b_pieces: list[Piece]


class TraceDiff(BaseModel):
    pairs: list[StepPair]
    divergence: int | None = Field(description="Index of the first pair that differs; null if none does.")
    same_prompt: bool
    same_answer: bool
    same_conversation: bool = Field(description="Whether system text, turns, tools and calls are the same.")


class TagsBody(Body):
    add: list[Name] = Field([], max_length=100)
    remove: list[Name] = Field([], max_length=100)


class NoteBody(Body):
    text: str = Field(max_length=20_000, description="Empty to remove the note.")


class ScoreBody(Body):
    name: Name
    value: FiniteFloat
    step: int | None = Field(None, ge=0, le=2**31 - 1, description="Step number, from 0. Default: the whole trace.")
    kind: ScoreKind = "human"
    scorer: Name
    version: str = Field("", max_length=80, description="Version of an automatic scorer.")
    note: str | None = Field(None, max_length=20_000)
    against: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="The hash of the trace that this one was compared with."
    )

    def given(self) -> GivenScore:
        return GivenScore(**self.model_dump())


class ScoresBody(Body):
    scores: list[ScoreBody] = Field(min_length=1, max_length=10_000)


class DeleteBody(Body):
    """Filters of the listing, at least one; `dry_run` only counts the matches."""

    q: str = Field("", max_length=1000)
    source: str | None = None
    model: str | None = None
    tags: list[str] = Field([], max_length=20)
    correct: bool | None = None
    min_steps: int | None = Field(None, ge=0, le=_MOST)
    max_steps: int | None = Field(None, ge=0, le=_MOST)
    min_length: int | None = Field(None, ge=0, le=_MOST)
    max_length: int | None = Field(None, ge=0, le=_MOST)
    stored_after: datetime | None = None
    stored_before: datetime | None = None
    dry_run: bool = False

    def query(self) -> TraceQuery:
        same = self.model_dump(exclude={"q", "tags", "stored_after", "stored_before", "dry_run"})
        return TraceQuery(
            text=self.q, tags=tuple(self.tags), after=self.stored_after, before=self.stored_before, **same
        )


def filters(
    q: Annotated[str, Query(max_length=1000, description="Words in prompt, steps or answer.")] = "",
    source: str | None = None,
    model: str | None = None,
    tag: Annotated[list[str] | None, Query(max_length=20, description="Tags; a trace must have all of them.")] = None,
    correct: Annotated[
        bool | None, Query(description="Whether the answer is right according to its reference.")
    ] = None,
    judged: Annotated[bool | None, Query(description="Whether a reference is known.")] = None,
    score: Annotated[str | None, Query(description="Name of a score, of the trace or of a step.")] = None,
    min_score: Annotated[FiniteFloat | None, Query(description="Minimum of `score`.")] = None,
    max_score: Annotated[FiniteFloat | None, Query(description="Maximum of `score`.")] = None,
    score_kind: Annotated[
        Literal["human", "automatic"] | None, Query(description="Given by people or by programs.")
    ] = None,
    min_steps: Whole = None,
    max_steps: Whole = None,
    min_length: Annotated[int | None, Query(ge=0, le=_MOST, description="Minimum bytes of canonical JSON.")] = None,
    max_length: Whole = None,
    stored_after: Annotated[datetime | None, Query(description="Stored at or after this time.")] = None,
    stored_before: datetime | None = None,
    noted: Annotated[bool | None, Query(description="Whether the trace has a note.")] = None,
    group: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="`key` of a prompt group.")] = None,
) -> TraceQuery:
    """Filters of a listing. A trace must match all of them."""
    return TraceQuery(
        text=q,
        source=source,
        model=model,
        tags=tuple(tag or ()),
        correct=correct,
        judged=judged,
        score=score,
        min_score=min_score,
        max_score=max_score,
        score_kind=score_kind,
        min_steps=min_steps,
        max_steps=max_steps,
        min_length=min_length,
        max_length=max_length,
        after=stored_after,
        before=stored_before,
        noted=noted,
        group=group,
    )
