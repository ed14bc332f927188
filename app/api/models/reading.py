"""Responses for reading: one trace with its surroundings, and lines of a listing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.ui.words import one_line
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.store.query import StoredTrace

_LINE = 160  # characters of a prompt in a listing


class ReadTool(BaseModel):
    name: str
    text: str = Field(description="The definition as indented JSON.")


class ReadCall(BaseModel):
    name: str
    arguments: str
    id: str | None


class ReadTurn(BaseModel):
    role: str
    text: str
    reasoning: str
    calls: list[ReadCall]
    note: str = Field(description="Name of the tool, the call that it answers, and whether the turn is trained.")


class ReadStep(BaseModel):
    type: str
    text: str


class ReadScore(BaseModel):
    name: str
    value: float
    by: str = Field(description="A person, or a scorer with its version.")
    human: bool
    step: int | None = Field(description="Step number, from 0; null for the whole trace.")


class Reading(BaseModel):
    """A trace in reading order, with the verdict on its answer, its scores and what is doubtful in it."""

    system: str | None
    tools: list[ReadTool]
    before: list[ReadTurn] = Field(description="Turns before the prompt.")
    prompt: str | None
    turns: list[ReadTurn] = Field(description="Turns between prompt and answer: calls and the results of tools.")
    steps: list[ReadStep]
    calls: list[ReadCall] = Field(description="Tool calls of the final answer.")
    answer: str | None
    reference: str | None
    verdict: Literal["same", "differs"] | None = Field(description="Answer against reference; null if undecided.")
    scores: list[ReadScore]
    doubts: list[str]
    output: str | None = Field(description="Null: a stored trace has no other text than its steps and answer.")


class Summary(BaseModel):
    """A trace as one line of a listing."""

    id: str
    prompt: str = Field(description="Its first characters, white space made single.")
    steps: int
    source: str | None
    model: str | None
    verdict: Literal["right", "wrong", "unclear"] | None = Field(description="Null: no reference is known.")
    judged: float | None = Field(description="The newest score of the whole trace by a person.")

    @classmethod
    def of(cls, stored: StoredTrace) -> Summary:
        trace = stored.trace
        known = {True: "right", False: "wrong", None: "unclear"}[answer_matches(trace)]
        mine = [one for one in stored.scores if one.given.kind == "human" and one.given.step is None]
        newest = max(mine, key=lambda one: one.created_at, default=None)
        return cls.model_validate(
            {
                "id": stored.id,
                "prompt": one_line(trace.prompt, _LINE),
                "steps": len(trace.steps),
                "source": trace.source,
                "model": trace.model,
                "verdict": None if trace.reference_answer is None else known,
                "judged": None if newest is None else newest.given.value,
            }
        )


class SummaryPage(BaseModel):
    traces: list[Summary]
    next: str | None = Field(description="Cursor to send as `after` for the next page; null on the last page.")
