"""Evaluations of a run: start, list, read with every prediction."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from app.api.answers import Comparison, Evaluation, EvaluationDetail, EvaluationList
from app.api.bodies import EvaluationBody
from app.api.limits import JsonRoute
from app.api.runs import RunId
from app.api.shared import Pipe
from tunixrt_core.evaluation import EvalRecord, Target

router = APIRouter(prefix="/runs/{id}/evaluations", tags=["Evaluations"], route_class=JsonRoute)


@router.post("", status_code=202)
def start(id: RunId, pipeline: Pipe, body: EvaluationBody | None = None) -> EvaluationList:
    """Queue the evaluation of a run's base and tuned model on its eval split. 501 without Tunix."""
    wanted = body or EvaluationBody()
    pipeline.start_evaluation(id, dict.fromkeys(wanted.targets), limit=wanted.limit)
    return listing(id, pipeline)


@router.get("")
def listing(id: RunId, pipeline: Pipe) -> EvaluationList:
    """The evaluations of a run, and base against tuned where both have answered."""
    run = pipeline.run(id)
    compared = pipeline.comparison(run.id)
    return EvaluationList(
        evaluations=[Evaluation(**_summary(record)) for record in pipeline.evaluations(run.id)],
        comparison=Comparison.model_validate(asdict(compared)) if compared else None,
    )


@router.get("/{target}")
def one(id: RunId, target: Target, pipeline: Pipe) -> EvaluationDetail:
    """One evaluation with its predictions so far, and its progress while it runs."""
    run = pipeline.run(id)
    view = pipeline.evaluation(f"{run.id}-{target}")
    return EvaluationDetail.model_validate(
        {
            **_summary(view.record),
            "predictions": [asdict(prediction) for prediction in view.predictions],
            "progress": asdict(view.progress) if view.progress else None,
        }
    )


def _summary(record: EvalRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "run_id": record.run_id,
        "target": record.target,
        "status": record.status.value,
        "message": record.message,
        "metrics": dict(record.metrics),
        "created_at": record.created_at,
        "ended_at": record.ended_at,
    }
