"""Responses before a run: manifest, preflight, dry run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


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
    keys: list[str] = Field(description="Manifest keys that the finding is about.")
    allowed: bool = Field(description="Whether the finding would block but was allowed.")


class Token(BaseModel):
    id: int
    text: str
    part: Literal["prompt", "message", "reply", "format", "step", "answer"] = Field(
        description="In a conversation, `message` is another turn, and `reply` an earlier turn that is trained on."
    )
    step: int | None = Field(description="Number of the reasoning step, from 1.")
    special: bool
    trained: bool
    cut: bool = Field(description="Whether the token is in the data but cut, so that the trainer does not see it.")


class RowView(BaseModel):
    number: int = Field(description="Line number in the data file.")
    split: str
    fate: Literal["kept", "shortened", "left_out", "empty"]
    length: int = Field(description="Tokens in the whole row.")
    trained: int
    dropped_steps: int
    tokens: list[Token]


class Totals(BaseModel):
    """Batch tokens and batch rows are per epoch; shares are from 0 to 1."""

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
    """Bin i counts rows with at least edges[i] and fewer than edges[i + 1] tokens."""

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
    totals: Totals | None = Field(description="Null if the rows cannot be encoded; a finding says why.")
    histogram: Histogram | None
    policies: list[PolicyEffect]
    picks: dict[str, list[int]] = Field(description="Rows to look at: longest, shortest, random, worst.")
    views: list[RowView]
    seconds: float


class DryRunReport(BaseModel):
    tokens: int = Field(description="Tokens in the largest batch, without padding.")
    compile_seconds: float
    train_loss: float
    eval_loss: float | None = Field(description="Null if there are no eval rows.")
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
    phase: str = Field(description="Current phase: loading, compiling, training, evaluating, saving.")
    message: str = Field(description="Reason for a failure.")
    report: DryRunReport | None = Field(description="Results; null until the dry run has succeeded.")
