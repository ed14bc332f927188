"""Playground: questions to a run's models, and answers kept as traces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Path
from starlette.responses import Response, StreamingResponse

from app.api.limits import JsonRoute
from app.api.models.imports import StoredReport
from app.api.models.playground import KeepBody, KeepPredictionsBody, KeptTrace, QuestionAnswered, QuestionBody
from app.api.shared import Pipe
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.evaluation_record import Target

router = APIRouter(tags=["Playground"], route_class=JsonRoute)

_EVENTS = "text/event-stream"
_LOOK = 0.03  # seconds between looks for more text

QuestionId = Annotated[str, Path(pattern=r"^q-[0-9a-f]{8}$")]


@router.post("/playground", status_code=202)
def ask(body: QuestionBody, pipeline: Pipe) -> QuestionAnswered:
    """Queue a question. 409 if a run or an evaluation holds the accelerator, with its name. 501 without Tunix."""
    return QuestionAnswered.model_validate(pipeline.playground.ask(body.question()).to_dict())


@router.post("/playground/release", status_code=204, response_class=Response)
def release(pipeline: Pipe) -> None:
    """Free the memory of models that stay loaded between questions. 409 while a question is being answered."""
    pipeline.playground.release()


@router.get("/playground/{id}")
def show(id: QuestionId, pipeline: Pipe) -> QuestionAnswered:
    """Progress of a question, with the answers so far. 404 if it is no longer kept, as after a server restart."""
    return QuestionAnswered.model_validate(pipeline.playground.get(id).to_dict())


@router.get(
    "/playground/{id}/text",
    response_class=StreamingResponse,
    responses={200: {"content": {_EVENTS: {}}, "description": "Events, whose data are JSON objects."}},
)
async def text(id: QuestionId, target: Target, pipeline: Pipe) -> StreamingResponse:
    """What a model writes, while it writes it: `{"more": ...}` adds to the text so far, `{"text": ...}` replaces it.

    Ends with the answer. Several clients may read the same. 404 as for the question.
    """
    pipeline.playground.get(id)
    return StreamingResponse(_written(pipeline, id, target), media_type=_EVENTS, headers={"cache-control": "no-store"})


async def _written(pipeline: Pipeline, id: str, target: Target) -> AsyncIterator[bytes]:
    sent = ""
    while True:
        state = pipeline.playground.get(id)
        answered = state.answer_of(target)
        now = answered.output if answered else state.written if state.target == target else ""
        if now and now != sent:
            event = {"more": now[len(sent) :]} if now.startswith(sent) else {"text": now}
            yield b"data: " + orjson.dumps(event) + b"\n\n"
            sent = now
        if state.over or answered:
            return
        await asyncio.sleep(_LOOK)


@router.post("/playground/{id}/stop")
def stop(id: QuestionId, pipeline: Pipe) -> QuestionAnswered:
    """Stop a question. Existing answers are kept. 409 if it is over."""
    return QuestionAnswered.model_validate(pipeline.playground.stop(id).to_dict())


@router.post("/playground/{id}/keep", status_code=201)
def keep(id: QuestionId, body: KeepBody, pipeline: Pipe) -> KeptTrace:
    """Keep an answer as a trace that names its model. 422 if it has no final answer and none is given."""
    kept, new = pipeline.playground.keep(
        id, body.target, final_answer=body.final_answer, reference_answer=body.reference_answer
    )
    return KeptTrace(id=kept, new=new)


@router.post("/evaluations/{id}/keep")
def keep_predictions(id: str, pipeline: Pipe, body: KeepPredictionsBody | None = None) -> StoredReport:
    """Keep the answers of an evaluation as traces, each with its score; by default the right ones."""
    wanted = body or KeepPredictionsBody()
    report = pipeline.evaluations.keep_predictions(id, only_correct=wanted.only_correct, scorer=wanted.scorer)
    return StoredReport.model_validate(report.to_dict())
