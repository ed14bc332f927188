"""Evaluations: start, list, read, stop, compare, rank; and the scorers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from app.api.limits import JsonRoute
from app.api.models.evaluations import (
    Comparison,
    Evaluation,
    EvaluationBody,
    EvaluationDetail,
    EvaluationList,
    Leaderboard,
    PredictionPairs,
    ScorerInfo,
)
from app.api.routes.runs import RunId
from app.api.shared import IdempotencyKey, Pipe
from app.evaluations.results import filter_pairs, line_of, pair_up
from tunixrt_core.evaluation.results.comparison import Comparison as Compared
from tunixrt_core.evaluation.scorers.known import known_scorers
from tunixrt_core.runs.evaluation_record import EvalRecord

router = APIRouter(tags=["Evaluations"], route_class=JsonRoute)

Name = Annotated[str, Query(max_length=200)]


@router.post("/runs/{id}/evaluations", status_code=202)
def start(id: RunId, pipeline: Pipe, body: EvaluationBody | None = None, key: IdempotencyKey = None) -> EvaluationList:
    """Queue the evaluation of a run's base and tuned model. Existing answers are kept. 501 without Tunix."""
    wanted = body or EvaluationBody()
    pipeline.evaluations.start(id, wanted.targets, wanted.request(), again=wanted.again, request_id=key)
    return listing(id, pipeline)


@router.get("/runs/{id}/evaluations")
def listing(id: RunId, pipeline: Pipe) -> EvaluationList:
    """Evaluations of a run, newest first, and base against tuned if both have answered."""
    run = pipeline.runs.get(id)
    compared = pipeline.evaluations.comparison(run.id)
    return EvaluationList(
        evaluations=[_summary(record) for record in pipeline.evaluations.records(run.id)],
        comparison=_comparison(compared) if compared else None,
    )


@router.get("/evaluations/compare")
def compare(first: Name, second: Name, pipeline: Pipe, scorer: Name = "exact_match") -> Comparison:
    """Two evaluations compared row by row, on the rows that both have answered."""
    return _comparison(pipeline.evaluations.compare(first, second, scorer))


@router.get("/evaluations/pairs", response_model=PredictionPairs)
def pairs(
    second: Name,
    pipeline: Pipe,
    first: Name | None = None,
    scorer: Name = "exact_match",
    show: Annotated[Literal["All", "Broken", "Fixed", "Both wrong"], Query(description="Which rows.")] = "All",
) -> Response:
    """Answers of one evaluation, or of two aligned by row, as one line per row in the order of the eval set."""
    answers = [pipeline.evaluations.get(id).predictions if id else () for id in (first, second)]
    known = next((one for one in known_scorers() if one.name == scorer.partition("=")[0]), None)
    found = pair_up(answers[0], answers[1], scorer, higher_is_better=known.higher_is_better if known else None)
    body = {
        "pairs": [line_of(pair) for pair in filter_pairs(found, show)],
        "two": first is not None,
        "samples": any(pair.any.sample for pair in found),
    }
    # not through the model: an eval set may have ten thousand rows
    return Response(orjson.dumps(body), media_type="application/json")


@router.get("/evaluations/leaderboard")
def board(
    pipeline: Pipe,
    scorer: Name = "exact_match",
    dataset: Name | None = None,
    model: Annotated[str | None, Query(max_length=4096)] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Leaderboard:
    """Finished evaluations ranked by a scorer's mean, one board per eval set."""
    found = pipeline.evaluations.leaderboard(scorer, dataset=dataset, model=model, since=since, until=until)
    return Leaderboard.model_validate(asdict(found))


@router.get("/scorers")
def scorers() -> list[ScorerInfo]:
    """Available scorers."""
    return [ScorerInfo.model_validate(asdict(one)) for one in known_scorers()]


@router.get("/evaluations/{id}")
def one(id: str, pipeline: Pipe) -> EvaluationDetail:
    """One evaluation with its predictions so far, and its progress."""
    view = pipeline.evaluations.get(id)
    return EvaluationDetail.model_validate(
        {
            **_summary(view.record).model_dump(),
            "predictions": [asdict(prediction) for prediction in view.predictions],
            "progress": asdict(view.state),
            "leaks": view.leaks.to_dict() if view.leaks else None,
        }
    )


@router.post("/evaluations/{id}/stop", status_code=202)
def stop(id: str, pipeline: Pipe) -> Evaluation:
    """Stop after the current batch. The answers so far are kept; the same start continues from them."""
    return _summary(pipeline.evaluations.stop(id))


def _summary(record: EvalRecord) -> Evaluation:
    found: dict[str, Any] = {name: getattr(record, name) for name in Evaluation.model_fields}
    return Evaluation.model_validate({**found, "metrics": dict(record.metrics), "setup": dict(record.setup)})


def _comparison(found: Compared) -> Comparison:
    return Comparison.model_validate(asdict(found))
