"""What the API answers, for the published description and as a check on what is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class ErrorInfo(BaseModel):
    code: str = Field(description="A fixed word such as not_found.")
    message: str = Field(description="A sentence that says what is wrong and what to do.")
    details: dict[str, Any] | None = None


class Error(BaseModel):
    error: ErrorInfo


class TunixStatus(BaseModel):
    available: bool
    version: str | None
    jax_version: str | None
    install: str = Field(description="The line that installs Tunix.")
    device: str = Field(description="TPU, GPU or CPU, as this machine's device files tell.")


class AddedTrace(BaseModel):
    id: str
    duplicate: bool


class RowError(BaseModel):
    file: str
    line: int = Field(description="Counts from 1: lines, or rows where the file has no lines.")
    field: str
    reason: str
    unit: Literal["line", "row"] = Field(description="What `line` counts: rows in Parquet.")


class StoredReport(BaseModel):
    """read = inserted + duplicate + rejected. At most 1,000 errors are listed."""

    file: str
    format: str
    read: int
    inserted: int
    duplicate: int
    rejected: int
    balanced: bool
    scores: int = Field(description="Scores that came with the traces.")
    errors: list[RowError]
    seconds: float


class ImportReport(StoredReport):
    rejects: str | None = Field(description="Where the rejected rows can be downloaded, byte for byte; null for none.")


class Column(BaseModel):
    name: str
    field: str = Field(description="What it becomes: a field of the trace, meta, score.")
    sample: str = Field(description="The beginning of its first value.")


class PreviewRow(BaseModel):
    line: int
    traces: list[dict[str, Any]]
    scores: int
    errors: list[RowError]


class Preview(BaseModel):
    """What the first rows of a file would become. `good` and `bad` count rows of the sample."""

    file: str
    container: str
    format: str
    sure: str
    why: str
    columns: list[Column]
    nested: list[Column] = Field(description="Columns inside of those, which `map` may name; `field` may be empty.")
    rows: list[PreviewRow]
    good: int
    bad: int
    whole: bool = Field(description="Whether these are all rows that there are.")


class Reason(BaseModel):
    field: str
    reason: str
    times: int
    first_line: int


class Twin(BaseModel):
    line: int
    first_line: int


class Diagnosis(BaseModel):
    """read = unique + duplicate + rejected. At most 1,000 errors and 1,000 twins are listed."""

    file: str
    container: str
    format: str
    sure: str
    why: str
    rows: int
    read: int
    unique: int
    duplicate: int
    rejected: int
    scores: int
    reasons: list[Reason]
    errors: list[RowError]
    twins: list[Twin] = Field(description="Rows that give the same trace as an earlier one.")
    seconds: float
    rejects: str | None = Field(description="Where the rejected rows can be downloaded, byte for byte; null for none.")


class DatasetVersion(BaseModel):
    name: str
    version: int
    spec: dict[str, Any]
    content_hash: str
    train_rows: int
    eval_rows: int
    parent: int | None
    created_at: datetime


class DatasetEntry(BaseModel):
    name: str
    versions: int = Field(description="How many there are.")
    latest: DatasetVersion


class DatasetList(BaseModel):
    datasets: list[DatasetEntry]


class DatasetVersions(BaseModel):
    name: str
    versions: list[DatasetVersion]


class GateOutcome(BaseModel):
    gate: str
    version: int
    action: Literal["warn", "exclude"]
    settings: dict[str, Any]
    checked: int = Field(description="Rows that it looked at.")
    counts: dict[str, int] = Field(description="Rows by outcome.")
    rows: int = Field(description="Rows that it found.")
    notes: dict[str, str]


class GateOutcomes(BaseModel):
    gates: list[GateOutcome] = Field(description="In the order in which they were applied; empty without gates.")


class GateFinding(BaseModel):
    position: int
    id: str = Field(description="Hash of the trace.")
    reason: str
    words: str = Field(description="Why, in a sentence.")
    detail: dict[str, Any] = Field(description="field, start, end; other and jaccard; eval; or value.")
    prompt: str | None = Field(description="Null where the trace was deleted.")
    span: str | None = Field(description="The stretch of text that it is about.")
    differs: str | None = Field(description="Against the other row, word by word: `[-gone-]{+come+}`.")


class GateFindings(BaseModel):
    findings: list[GateFinding]
    next: int | None = Field(description="Send it as `after` for the next page; null on the last.")


class ChangedRow(BaseModel):
    """Two traces of the same prompt with other content."""

    before: str
    after: str


class DatasetDiff(BaseModel):
    """Traces by their hashes."""

    added: list[str]
    removed: list[str]
    moved: list[str] = Field(description="On the other side of the split now.")
    changed: list[ChangedRow]
    kept: int


class Build(BaseModel):
    id: str
    name: str
    status: Literal["running", "succeeded", "failed", "cancelled"]
    phase: str
    done: int
    total: int
    version: int | None = Field(description="Of the dataset, when it has succeeded.")
    message: str
    seconds: float


class BuildList(BaseModel):
    builds: list[Build]


class MadeManifest(BaseModel):
    manifest: dict[str, Any]
    yaml: str


class Finding(BaseModel):
    code: str
    severity: Literal["blocking", "warning"]
    message: str
    advice: str
    rows: list[int] = Field(description="Lines of the data file, from 1; at most 100.")
    row_count: int
    keys: list[str] = Field(description="Keys of the manifest that it is about.")
    allowed: bool = Field(description="It would block, but was allowed.")


class Token(BaseModel):
    id: int
    text: str
    part: Literal["prompt", "format", "step", "answer"]
    step: int | None = Field(description="Number of the reasoning step, from 1.")
    special: bool
    trained: bool
    cut: bool = Field(description="In the data, but the trainer will not see it.")


class RowView(BaseModel):
    number: int = Field(description="Its line in the data file.")
    split: str
    fate: Literal["kept", "shortened", "left_out", "empty"]
    length: int = Field(description="Tokens of the whole row.")
    trained: int
    dropped_steps: int
    tokens: list[Token]


class Totals(BaseModel):
    """Tokens and rows of the batch are those of one epoch; shares are from 0 to 1."""

    rows: int
    train_rows: int
    eval_rows: int
    rows_left_out: int
    rows_shortened: int
    rows_empty: int
    answers_cut: int
    longest: int
    shortest: int
    mean: float
    tokens: int
    trained_tokens: int
    masked_tokens: int
    padding_share: float
    packed_rows: int
    batch_lengths: list[int]
    train_steps: int
    epochs: float


class Histogram(BaseModel):
    """Bin i counts the rows of edges[i] to below edges[i + 1] tokens."""

    edges: list[int]
    train: list[int]
    eval: list[int]


class PolicyEffect(BaseModel):
    policy: str
    kept_whole: int
    shortened: int
    left_out: int
    trained_tokens: int


class Preflight(BaseModel):
    manifest_hash: str
    blocked: bool
    findings: list[Finding]
    checked: list[str]
    passed: list[str]
    totals: Totals | None = Field(description="Null where the rows cannot be encoded; a finding says why.")
    histogram: Histogram | None
    policies: list[PolicyEffect]
    picks: dict[str, list[int]] = Field(description="Rows to look at: longest, shortest, random, worst.")
    views: list[RowView]
    seconds: float


class DryRunReport(BaseModel):
    tokens: int = Field(description="Of the largest batch, without padding.")
    compile_seconds: float
    train_loss: float
    eval_loss: float | None = Field(description="Null where there are no eval rows.")
    checkpoint_bytes: int
    checkpoint_seconds: float
    peak_memory_bytes: int
    generated: str
    generate_seconds: float
    seconds: float


class DryRun(BaseModel):
    id: str
    manifest_hash: str
    status: str = Field(description="queued, running, succeeded, failed or stopped.")
    phase: str = Field(description="What it is doing: loading, compiling, training, evaluating, saving.")
    message: str = Field(description="Why it failed.")
    report: DryRunReport | None = Field(description="What was found; null until it succeeded.")


class ModelExport(BaseModel):
    id: str
    run_id: str
    layout: str = Field(description="merged or peft.")
    status: str = Field(description="queued, running, succeeded, failed or stopped.")
    phase: str = Field(description="What it is doing: loading, writing, checking.")
    message: str = Field(description="Why it failed.")
    report: dict[str, Any] | None = Field(description="As export.json; null until it succeeded.")


class ExportedModel(BaseModel):
    format: str = Field(description="merged or peft.")
    report: dict[str, Any] = Field(description="As export.json: train step, files, bytes, checks, not_checked.")
    files: dict[str, int] = Field(description="Bytes by name; each can be downloaded.")


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


class RunPage(BaseModel):
    runs: list[RunSummary]
    next: str | None = Field(description="Send it as `after` for the next page; null on the last.")


class Change(BaseModel):
    """One value of a manifest that is not the same, by its dotted key."""

    key: str
    values: list[Any]


class ParentRun(BaseModel):
    """What a clone was made from."""

    run: str
    changed: list[Change] = Field(description="The value in the parent, then in the clone.")


class RunDetail(RunSummary):
    manifest: dict[str, Any]
    state: dict[str, Any] | None = Field(description="Phase, train step, device; null where its folder is gone.")
    parent: ParentRun | None = Field(description="Of a clone; null of a run that is none.")


class ClonedManifest(MadeManifest):
    changed: list[Change] = Field(description="What is not as in the run: its value there, then the new one.")


class RunsCompared(BaseModel):
    """All lists in the order of `runs`."""

    runs: list[RunSummary]
    differences: list[Change] = Field(description="Where the manifests differ: a value a run, null where it has none.")
    summaries: list[dict[str, Any]] = Field(description="Losses, best evaluation, time, tokens; null: not measured.")


class Holder(BaseModel):
    run: str
    kind: str = Field(description="train, evaluate or export.")
    since: float = Field(description="Unix seconds.")
    pid: int
    here: bool = Field(description="Whether it is this server; otherwise another process of the same home.")


class Job(BaseModel):
    id: str = Field(description="Of the run, or of the evaluation.")
    run: str
    kind: str


class Queue(BaseModel):
    holder: Holder | None = Field(description="Who holds the accelerator.")
    waiting: list[Job] = Field(description="In the order in which they will begin.")


class Metrics(BaseModel):
    records: list[dict[str, Any]]
    next: int = Field(description="Send it as `since` to get only what is new.")
