"""Runs: start, list, annotate, watch, stop, save, resume, clone, compare."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from app.api.limits import JsonRoute, reads
from app.api.models.bodies import AnnotationsBody, CloneBody, ResumeBody, RunBody
from app.api.models.runs import (
    Change,
    ClonedManifest,
    FileProblem,
    Metrics,
    MovedAside,
    ParentRun,
    RateChange,
    RecentRuns,
    ResumedRun,
    RunBase,
    RunDetail,
    RunPage,
    RunProblems,
    RunsCompared,
    RunSummary,
    RunTable,
    Series,
)
from app.api.parts import Part
from app.api.shared import IdempotencyKey, Pipe
from app.runs.figures.csv import curves_csv
from app.runs.figures.series import Along, Wanted, series_of, split_next
from app.runs.recent import recent_runs
from tunixrt_core.errors import NotFound
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import Difference
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.metrics import to_dict
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.store.query import MAX_PAGE
from tunixrt_core.training.base_model import BaseCheck

router = Part(prefix="/runs", tags=["Runs"], route_class=JsonRoute)

MAX_RUNS = 50  # of one comparison
NextPoints = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}:[0-9.:]{1,90}$")]
RunId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


@router.post(
    "", status_code=201, responses={200: {"model": RunDetail, "description": "Already started under this key."}}
)
def start(body: RunBody, response: Response, pipeline: Pipe, key: IdempotencyKey = None) -> RunDetail:
    """Queue a run. 200 with the existing run if this Idempotency-Key already started one; 501 without Tunix."""
    manifest = RunManifest.from_dict(body.manifest)
    known = key is not None and pipeline.runs.by_request(key) is not None
    run = pipeline.runs.start(manifest, request_id=key, allow=body.allow, parent=body.parent, processes=body.processes)
    if known:
        response.status_code = 200
    return _detail(pipeline, run)


@router.get("")
def page(
    pipeline: Pipe,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> RunPage:
    """A page of runs, newest first."""
    found = pipeline.runs.page(limit=limit, after=after)
    return RunPage(runs=[RunSummary(**run.to_dict()) for run in found.items], next=found.next)


@router.get("/table", response_model=RunTable, responses={304: {"description": "Unchanged."}})
def table(
    pipeline: Pipe,
    since: Annotated[str, Query(max_length=40, description="`version` of an earlier answer.")] = "",
    if_none_match: Annotated[str | None, Header(max_length=100)] = None,
    accept_encoding: Annotated[str | None, Header()] = None,
) -> Response:
    """All runs as rows, newest first, or those that changed since a version."""
    found = pipeline.runs.table(since)
    headers = {"etag": f'"{found.version}"', "cache-control": "private, no-cache", "vary": "accept-encoding"}
    if not since and if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    body = orjson.dumps(found.to_dict())
    if found.whole and "gzip" in (accept_encoding or ""):
        # at the server's own level, packing thousands of rows takes longer than all the rest
        body = gzip.compress(body, 3)
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers, media_type="application/json")


@router.get("/recent")
def recent(pipeline: Pipe, limit: Annotated[int, Query(ge=1, le=20)] = 6) -> RecentRuns:
    """The newest runs that are not in the archive, each with the shape of its train loss."""
    return RecentRuns(**recent_runs(pipeline, limit))


@router.get("/series", response_model=Series, response_model_exclude_none=True)
def series(
    pipeline: Pipe,
    run: Annotated[list[RunId] | None, Query(max_length=MAX_RUNS, description="Run id; repeat it per run.")] = None,
    next: Annotated[
        list[NextPoints] | None,
        Query(max_length=MAX_RUNS, description="`next` of an earlier answer, for the points since; repeat it per run."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        Query(max_length=40, description="loss, eval_loss, grad_norm, ...; parts, types or samples for groups."),
    ] = None,
    x: Annotated[Along, Query(description="Axis: train step, trained tokens or seconds trained.")] = "step",
    points: Annotated[int, Query(ge=16, le=5000, description="Maximum number of points per curve.")] = 500,
    smoothing: Annotated[float, Query(ge=0, le=0.999, description="Factor of the smoothed train losses.")] = 0.0,
    first: Annotated[float | None, Query(description="Where the axis begins.")] = None,
    last: Annotated[float | None, Query(description="Where the axis ends.")] = None,
    tiles: Annotated[bool, Query(description="With the newest numbers, and the state in words.")] = False,
) -> Response:
    """Curves of several runs, thinned so that every spike stays visible; with `next`, the points recorded since."""
    wanted = Wanted(tuple(metric or ("loss", "eval_loss")), x, points, smoothing, first, last, tiles)
    asked = [*((name, "") for name in run or ()), *(split_next(each) for each in next or ())]
    found = _named(pipeline, [name for name, _ in asked])
    told = [series_of(one, known, wanted) for one, (_, known) in zip(found, asked, strict=True)]
    return Response(orjson.dumps({"series": told}), media_type="application/json")


@router.get(
    "/curves.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "A record per line."}},
)
def curves_csv_of(
    pipeline: Pipe,
    id: Annotated[list[RunId], Query(min_length=1, max_length=MAX_RUNS, description="Run id; repeat it per run.")],
) -> Response:
    """Every train record and evaluation of runs as CSV."""
    return StreamingResponse(curves_csv(_named(pipeline, id)), media_type="text/csv; charset=utf-8")


def _named(pipeline: Pipeline, run_ids: Sequence[str]) -> list[Run]:
    found = {run.id: run for run in pipeline.runs.named(run_ids)}
    for run_id in run_ids:
        if run_id not in found:
            raise NotFound("run", run_id)
    return [found[run_id] for run_id in run_ids]


@router.get("/compare")
def compare(
    pipeline: Pipe,
    id: Annotated[list[RunId], Query(min_length=1, max_length=MAX_RUNS, description="Run id; repeat it per run.")],
    all: Annotated[bool, Query(description="With the settings that do not differ.")] = False,
) -> RunsCompared:
    """Runs side by side: manifest differences, and the results of each."""
    found = pipeline.runs.compare(id)
    return RunsCompared(
        runs=[RunSummary(**run.to_dict()) for run in found.runs],
        differences=_changes([each for each in found.settings if all or each.differs]),
        settings=len(found.settings),
        summaries=[summary.to_dict() for summary in found.summaries],
    )


@router.get("/{id}")
def one(id: RunId, pipeline: Pipe) -> RunDetail:
    """A run: its manifest and current state."""
    return _told(pipeline, *pipeline.runs.look(id))


@router.patch("/{id}")
def annotate(id: RunId, body: AnnotationsBody, pipeline: Pipe) -> RunDetail:
    """Tag a run, write its note, archive it. Lists leave archived runs out; no file is deleted."""
    return _detail(pipeline, pipeline.runs.annotate(id, **body.model_dump()))


@router.get("/{id}/metrics")
def metrics(id: RunId, pipeline: Pipe, since: Annotated[int, Query(ge=0, lt=2**63)] = 0) -> Metrics:
    """Metrics recorded after the cursor `since`; `next` is the cursor of the next request."""
    records, following = pipeline.runs.metrics(id, since)
    return Metrics(records=list(map(to_dict, records)), next=following)


@router.post("/{id}/stop", status_code=202)
def stop(id: RunId, pipeline: Pipe) -> RunDetail:
    """Stop a run. It ends after the current train step and keeps a checkpoint."""
    return _detail(pipeline, pipeline.runs.stop(id))


@router.post("/{id}/save", status_code=202)
def save(id: RunId, pipeline: Pipe) -> RunDetail:
    """Save a checkpoint after the current train step, without stopping the run. 409 if it is not training."""
    return _detail(pipeline, pipeline.runs.save_checkpoint(id))


@router.post("/{id}/resume", status_code=202)
def resume(id: RunId, pipeline: Pipe, body: ResumeBody | None = None, key: IdempotencyKey = None) -> ResumedRun:
    """Resume an ended run from its last checkpoint; a finished one needs a longer duration. 501 without Tunix.

    The manifest, result and records stay as they are until the first new train step; `state.refused` says why a resume
    ended before it.
    """
    longer = body or ResumeBody()
    asked = longer.model_dump(exclude={"dry_run", "processes"})
    known = key is not None and pipeline.requests.used(key)  # it was resumed under this key: nothing changes now
    change = None if known else pipeline.runs.rate_change(id, **asked)
    if longer.dry_run:
        run = pipeline.runs.get(id)
    else:
        run = pipeline.runs.resume(id, **asked, processes=longer.processes, request_id=key)
    told = RateChange(**change.to_dict()) if change else None
    return ResumedRun(**_detail(pipeline, run).model_dump(), learning_rate=told)


@router.get("/{id}/base")
def base(
    id: RunId,
    pipeline: Pipe,
    whole: Annotated[bool, Query(description="Hash the whole files, not samples: seconds per gigabyte.")] = False,
) -> RunBase:
    """Compare the files of the base model with those that the run was trained on."""
    return _base(pipeline.runs.base(id, whole=whole))


@router.post("/{id}/base/accept")
def accept_base(id: RunId, pipeline: Pipe) -> RunBase:
    """Accept the files on this machine as the base model of the run from now on; its record keeps the change."""
    return _base(pipeline.runs.accept_base(id))


@router.get("/{id}/problems")
def problems(id: RunId, pipeline: Pipe) -> RunProblems:
    """Files of a run that cannot be read, each with the reason. Reads the whole folder."""
    return RunProblems(problems=[FileProblem(**each.details) for each in pipeline.runs.problems(id)])


@router.post("/{id}/aside")
def move_aside(id: RunId, pipeline: Pipe) -> MovedAside:
    """Move a broken run to `aside` in the home, off the list. 409 if it is not broken."""
    return MovedAside(folder=str(pipeline.runs.move_aside(id)))


@router.post("/{id}/clone")
@reads
def clone(id: RunId, pipeline: Pipe, body: CloneBody | None = None) -> ClonedManifest:
    """Manifest of a run with some values changed, for a new run. Starts nothing: POST it to /api/runs."""
    variant = pipeline.manifests.clone(id, (body or CloneBody()).hyperparameters)
    return ClonedManifest(
        manifest=variant.manifest.to_dict(), yaml=variant.manifest.to_yaml(), changed=_changes(variant.changed)
    )


def _base(found: BaseCheck) -> RunBase:
    return RunBase(
        model=found.recorded.model,
        recorded_at=found.recorded.recorded_at,
        files={name: asdict(mark) for name, mark in found.recorded.files.items()},
        changed=list(found.changed),
        replaced=[dict(each) for each in found.recorded.replaced],
    )


def _changes(found: Sequence[Difference]) -> list[Change]:
    return [Change(key=each.key, values=list(each.values)) for each in found]


def _detail(pipeline: Pipeline, run: Run) -> RunDetail:
    return _told(pipeline, run, None if run.status is RunStatus.BROKEN else pipeline.runs.state_of(run))


def _told(pipeline: Pipeline, run: Run, state: RunState | None) -> RunDetail:
    parent = pipeline.runs.parent(run)
    return RunDetail(
        **run.to_dict(),
        manifest=dict(run.manifest),
        state=state.to_dict() if state else None,
        parent=ParentRun(**parent.to_dict()) if parent else None,
    )
