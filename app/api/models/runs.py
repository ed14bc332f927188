"""Responses about runs: records, comparisons, metrics, exports, queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field, WithJsonSchema

from app.api.models.checks import MadeManifest
from tunixrt_core.runs.metrics import Known, OtherMetric
from tunixrt_core.training.learning_rate import ScheduleChoice


class ModelExport(BaseModel):
    id: str
    run_id: str
    layout: str = Field(description="merged or peft.")
    status: str = Field(description="queued, running, succeeded, failed or stopped.")
    phase: str = Field(description="Current phase: hashing, loading, writing, checking.")
    message: str = Field(description="Reason for a failure.")
    report: dict[str, Any] | None = Field(description="Content of export.json; null until the export has succeeded.")


class ExportedModel(BaseModel):
    format: str = Field(description="merged or peft.")
    report: dict[str, Any] = Field(description="Content of export.json: train step, files, bytes, checks, not_checked.")
    files: dict[str, int] = Field(description="Bytes by file name; each file can be downloaded.")


class ExportedModels(BaseModel):
    exports: list[ExportedModel]


class RunSummary(BaseModel):
    id: str
    name: str
    status: str
    message: str
    dataset: dict[str, Any] | None
    directory: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    tags: list[str]
    note: str = Field(description="Empty if there is none.")
    archived: bool = Field(description="Left out of lists until archived runs are requested.")


class RunTable(BaseModel):
    """All runs, or those that changed since a version. Moments are Unix seconds, losses nats per token."""

    version: str = Field(description="To send as `since` for the changes only; also the ETag.")
    whole: bool = Field(description="True: these are all runs. False: the runs that changed.")
    columns: list[str]
    rows: list[list[Any]] = Field(description="A run per row, in the order of `columns`; null if not measured.")
    gone: list[str] = Field(description="Ids of the runs that are no longer listed.")
    reading: int = Field(description="Runs whose folders are still being read for their figures.")


class RecentRun(BaseModel):
    id: str
    name: str
    status: str
    dataset: str = Field(description="Name and version, as `gsm8k:3`; empty for a data file.")
    created: float = Field(description="Unix seconds.")
    train_step: int | None
    total_train_steps: int | None
    eval_loss: float | None = Field(description="Nats per token; null if not measured.")
    tuned: float | None = Field(description="Exact match of the tuned model, 0 to 1; null if not evaluated.")
    curve: list[float] = Field(description="The smoothed train loss in at most 60 points.")


class RecentRuns(BaseModel):
    runs: list[RecentRun] = Field(description="Newest first.")
    reading: int = Field(description="Runs whose folders are still being read for their figures.")


class RunPage(BaseModel):
    runs: list[RunSummary]
    next: str | None = Field(description="Cursor to send as `after` for the next page; null on the last page.")


class Change(BaseModel):
    """One manifest value that differs, by its dotted key."""

    key: str
    values: list[Any]


class ParentRun(BaseModel):
    """The run that a clone was made from."""

    run: str
    changed: list[Change] = Field(description="Values that differ: in the parent, then in the clone.")


class RunDetail(RunSummary):
    manifest: dict[str, Any]
    state: dict[str, Any] | None = Field(description="Phase, train step, device; null if it cannot be read.")
    parent: ParentRun | None = Field(description="Parent run of a clone; otherwise null.")


class RateChange(BaseModel):
    """What a resume does to the learning rate."""

    schedule: ScheduleChoice
    kind: str = Field(description="The manifest's schedule: cosine, linear or constant.")
    train_step: int = Field(description="Train steps that are done.")
    before: float = Field(description="Learning rate of the last train step done.")
    after: float = Field(description="Learning rate of the next one.")
    choices: dict[ScheduleChoice, float] = Field(description="Learning rate of the next one, by choice.")


class ResumedRun(RunDetail):
    learning_rate: RateChange | None = Field(description="Null where the resume leaves duration and schedule.")


class FileProblem(BaseModel):
    """A file or folder of a run that cannot be read."""

    file: str
    reason: str


class RunProblems(BaseModel):
    problems: list[FileProblem] = Field(description="Empty for a run that is whole.")


class MovedAside(BaseModel):
    folder: str = Field(description="Where the run is now.")


class ClonedManifest(MadeManifest):
    changed: list[Change] = Field(description="Values that differ: in the run, then in the new manifest.")


class Curve(BaseModel):
    """Points of a curve: train steps, values, and the position on the axis if it is not the train step."""

    s: list[int]
    y: list[float | None]
    x: list[float] | None = None


class Event(BaseModel):
    """A mark on the axis of a run's charts."""

    s: int = Field(description="Train step.")
    x: float = Field(description="Position on the axis.")
    kind: str = Field(description="checkpoint, best, alert or change.")
    words: str


class RunSeries(BaseModel):
    id: str
    status: str
    over: bool = Field(description="False: it trains; ask for more with `next`.")
    whole: bool = Field(description="True: replace what is known. False: append.")
    next: str = Field(description="To send as `next` for the points recorded since.")
    train_step: int
    total_train_steps: int
    curves: dict[str, Curve]
    events: list[Event]
    tiles: list[list[Any]] | None = Field(None, description="Newest numbers: value, change and note, as texts.")
    line: str | None = Field(None, description="State of the run in one line.")
    share: float | None = Field(None, description="Share done.")
    beginning: list[list[str]] | None = Field(
        None, description="Phases before the first train step: words, `done`, `now` or `next`, and times."
    )


class Series(BaseModel):
    series: list[RunSeries]


class RunsCompared(BaseModel):
    """All lists are in the order of `runs`."""

    runs: list[RunSummary]
    differences: list[Change] = Field(
        description="Keys whose values differ, or all: one value per run, null if it has none."
    )
    settings: int = Field(description="Number of all keys.")
    summaries: list[dict[str, Any]] = Field(description="Losses, best evaluation, time, tokens; null if not measured.")


class Holder(BaseModel):
    run: str
    kind: str = Field(description="train, evaluate or export.")
    since: float = Field(description="Unix seconds.")
    pid: int | None = Field(description="Number of its process; null where that is on another machine.")
    here: bool = Field(description="Whether this server holds it; otherwise another process of the same home.")


class Job(BaseModel):
    id: str = Field(description="Id of the run or the evaluation.")
    run: str
    kind: str


class Queue(BaseModel):
    holder: Holder | None = Field(description="The job that holds the accelerator.")
    waiting: list[Job] = Field(description="Waiting jobs, in the order in which they will start.")


def _metric_schema() -> dict[str, Any]:
    """The records of runs.metrics as JSON Schema."""
    _, found = msgspec.json.schema_components([Known, OtherMetric])
    return {"title": "Metric", "description": "One record, by its kind.", "anyOf": [*found.values()]}


class Metrics(BaseModel):
    records: list[Annotated[dict[str, Any], WithJsonSchema(_metric_schema())]]
    next: int = Field(description="Cursor to send as `since` to get only new records.")


class RunBase(BaseModel):
    """The base model that a run was trained on, and how the files on this machine differ from it."""

    model: str
    recorded_at: datetime
    files: dict[str, dict[str, Any]] = Field(description="Size, fingerprint and, where computed, sha256 of each file.")
    changed: list[str] = Field(description="What differs on this machine, a clause per file; empty if nothing does.")
    replaced: list[dict[str, Any]] = Field(description="Changes that were accepted, with their time and train step.")
