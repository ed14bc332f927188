"""Requests and responses of evaluations."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.models.bodies import AnsweringBody
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.manifest.sections import PathText

_MOST = 2**31 - 1


class EvaluationBody(AnsweringBody):
    """Settings of an evaluation, all optional. By default both models answer the eval split greedily."""

    eval_file: PathText | None = Field(
        None, max_length=4096, description="File on the server. Default: the eval split."
    )
    limit: int | None = Field(None, ge=1, le=_MOST, description="Number of first rows to evaluate. Default: all.")
    samples: int = Field(1, ge=1, le=1000, description="Answers per prompt.")
    scorers: list[str] = Field([], max_length=50, description="Names of scorers; GET /scorers lists them.")
    own_prompt: bool = Field(
        True,
        description="Ask the base model a second time, in its own chat template with a plain instruction. Doubles the "
        "time of the base model.",
    )
    again: bool = Field(False, description="Regenerate existing answers.")

    def request(self) -> EvalRequest:
        """Raises InvalidEvaluation."""
        return EvalRequest(
            checkpoint=self.checkpoint,
            eval_file=Path(self.eval_file) if self.eval_file else None,
            limit=self.limit,
            samples=self.samples,
            sampling=self.sampling(),
            max_new_tokens=self.max_new_tokens,
            scorers=tuple(self.scorers),
            own_prompt=self.own_prompt,
        )


class Evaluation(BaseModel):
    id: str
    run_id: str
    target: str
    train_step: int | None = Field(description="Train step of the checkpoint; null for the base model.")
    prompt: Literal["run", "own"] = Field(
        description="run: asked as the run renders a row. own: a base model in its own chat template."
    )
    setup: dict[str, Any] = Field(description="Eval set, samples, sampling, max_new_tokens, and an own prompt.")
    status: str
    message: str
    metrics: dict[str, Any]
    created_at: datetime
    ended_at: datetime | None


class Estimate(BaseModel):
    value: float
    low: float = Field(description="Lower bound of the 95 % interval.")
    high: float


class Figures(BaseModel):
    """Two evaluations on the same rows; `fixed` and `broken` count rows on which the second is better or worse."""

    rows: int
    first: Estimate | None
    second: Estimate | None
    difference: Estimate | None = Field(description="Second minus first, with a bootstrap interval over rows.")
    higher_is_better: bool
    binary: bool
    both: int | None
    fixed: int
    broken: int
    neither: int | None
    p_value: float = Field(description="McNemar's exact test, or the sign test for scores that are not binary.")
    rows_needed: int | None = Field(description="Approximate number of rows needed to show a difference of this size.")


class GroupFigures(Figures):
    column: str
    value: str | None
    p_holm: float = Field(description="p value with Holm's correction for the number of groups.")


class Flip(BaseModel):
    id: str
    row: int
    first: float
    second: float
    better: bool


class FormatGain(BaseModel):
    """Second minus first: answers that are right and in the run's format, and those that are right in any form."""

    strict: Estimate
    flexible: Estimate


class OwnGain(BaseModel):
    """Second minus the base model with its own prompt, by answers that are right in any form."""

    rows: int
    gain: Estimate
    fixed: int
    broken: int
    p_value: float = Field(description="McNemar's exact test, or the sign test where rows have several answers.")
    base: float = Field(description="Share that the base has right with the run's prompt.")
    own: float = Field(description="Share that the base has right with its own prompt.")
    cut: float = Field(description="Share of the base's own answers that ended at the token limit.")


class Comparison(Figures):
    scorer: str
    only_first: int
    only_second: int
    changed: int
    not_told: int
    groups: list[GroupFigures]
    flipped: list[Flip]
    warnings: list[str]
    format_gain: FormatGain | None = Field(description="The difference by right answers in any form and in format.")
    own_gain: OwnGain | None = Field(
        description="The gain over the base asked in its own chat template; null where it was not asked so."
    )


class BoardEntry(BaseModel):
    eval_id: str
    runs: list[str]
    model: str | None
    dataset: str | None
    target: str
    train_step: int | None
    created_at: datetime
    value: float
    low: float | None
    high: float | None
    rows: int
    scorer_version: int | None
    setup: dict[str, Any]
    notes: list[str] = Field(description="Settings that differ from most entries of the board.")
    exact_match: float | None = Field(description="Share of answers that are right and in the format of the run.")
    flexible_match: float | None = Field(description="Share of answers that are right in any known form.")
    name: str | None = Field(description="Name of the tuned model's run; null for a base model.")


class Board(BaseModel):
    eval_set: dict[str, Any]
    names: list[str]
    entries: list[BoardEntry]


class Leaderboard(BaseModel):
    """One board per eval set: only evaluations on the same rows can be ranked."""

    metric: str
    boards: list[Board]
    without_setup: int
    without_metric: int


class ScorerInfo(BaseModel):
    name: str
    version: int
    about: str
    unit: str
    higher_is_better: bool | None
    setting: str = Field(description="Setting accepted in NAME=SETTING; empty if none.")
    package: str
    problem: str


class Leaks(BaseModel):
    """Prompts of the eval set that the run was trained on."""

    eval_rows: int
    train_rows: int
    ngram: int
    exact: int
    overlap: int
    share: float
    findings: list[dict[str, Any]]


class EvaluationList(BaseModel):
    evaluations: list[Evaluation]
    comparison: Comparison | None = Field(description="Base against tuned, for the newest pair with the same setup.")


class Prediction(BaseModel):
    id: str
    row: int
    sample: int
    prompt: str
    reference: str
    output: str
    answer: str | None
    scores: dict[str, float | None]
    verdicts: dict[str, str]
    groups: dict[str, str]
    tokens: int
    hit_limit: bool


class PredictionPair(BaseModel):
    """The answers to one row of an eval set, as one line of a listing."""

    id: str
    row: int
    sample: int
    prompt: str = Field(description="Its first characters, white space made single.")
    reference: str
    first: str | None = Field(description="Final answer; null if there is none.")
    second: str | None
    verdict: str = Field(description="Relation of both, such as `Fixed`: the first is wrong, the second right.")


class PredictionPairs(BaseModel):
    pairs: list[PredictionPair]
    two: bool = Field(description="Whether two evaluations are compared.")
    samples: bool = Field(description="Whether a row has several answers.")


class Progress(BaseModel):
    phase: str
    done: int
    total: int
    compiles: int


class EvaluationDetail(Evaluation):
    predictions: list[Prediction]
    progress: Progress
    leaks: Leaks | None = Field(description="Null if no leak check was made.")
