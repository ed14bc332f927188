"""Metric records of a run: the lines of metrics.jsonl and samples.jsonl, typed.

A trainer makes them, the recorder writes them, and pages, alerts, reports and the API read them. Losses are nats per
token, means over tokens. A field with its default value is not written; a number that is not finite reads as None.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypedDict, TypeVar

import msgspec
from msgspec import Meta

Losses = dict[str, float | None]


class TrainPlan(TypedDict, total=False):
    """Totals of a training, known before its first train step: `plan` of state.json."""

    total_train_steps: int
    restored_train_step: int  # of the checkpoint that the run continues from
    epochs: float
    train_rows: int
    eval_rows: int
    dropped_rows: int  # too long
    shortened_rows: int  # lost steps from their middle
    row_lengths: list[int]  # of the batches, each is compiled once
    row_length: int  # the longest of them
    packing: bool
    rows_per_train_step: float  # rows of the data, on average
    padding_share: float
    tokens_per_epoch: int
    trained_tokens_per_epoch: int
    trainable_parameters: int
    total_parameters: int
    vocab_size: int  # tokens that the model chooses from
    device: str
    mesh: dict[str, int]
    lora: bool


class _Metric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", gc=False):
    """What all records have. Every kind but alerts comes from the trainer."""

    train_step: int
    time: Annotated[float | None, Meta(description="Seconds trained so far. Set by the recorder.")] = None

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class TrainMetric(_Metric, tag="train", frozen=True, kw_only=True):
    """One train step."""

    loss: float | None = None
    perplexity: float | None = None
    learning_rate: Annotated[float | None, Meta(description="Learning rate used in this train step.")] = None
    grad_norm: Annotated[
        float | None, Meta(description="L2 norm of the train step's whole gradient, before clipping.")
    ] = None
    epoch: float | None = None
    trained_tokens: int | None = None
    tokens: Annotated[int | None, Meta(description="Tokens without padding.")] = None
    padding_share: float | None = None
    tokens_per_second: Annotated[float | None, Meta(description="Trained tokens.")] = None
    step_seconds: float | None = None
    input_wait_seconds: Annotated[float | None, Meta(description="Seconds that the device waited for rows.")] = None
    memory_bytes: Annotated[
        int | None, Meta(description="Memory in use: of the device, or of the process on a CPU.")
    ] = None
    peak_memory_bytes: int | None = None
    mfu: Annotated[float | None, Meta(description="Model FLOP/s utilisation, if the device's peak is known.")] = None
    parts: Annotated[Losses, Meta(description="Loss by part of the text: prompt, format, step 1, ..., answer.")] = {}
    types: Annotated[Losses, Meta(description="Loss by step type.")] = {}


class EvalMetric(_Metric, tag="eval", frozen=True, kw_only=True):
    """One evaluation of the eval split's loss."""

    loss: float | None = None
    perplexity: float | None = None
    trained_tokens: int | None = None
    seconds: float | None = None
    best: Annotated[bool, Meta(description="No earlier evaluation had a lower loss.")] = False
    parts: Annotated[Losses, Meta(description="Loss by part of the text: prompt, format, step 1, ..., answer.")] = {}
    types: Annotated[Losses, Meta(description="Loss by step type.")] = {}


class SamplesMetric(_Metric, tag="samples", frozen=True, kw_only=True):
    """One round of answers to the fixed prompts, scored. The answers themselves are SampleAnswers."""

    rows: Annotated[int, Meta(description="Number of answered prompts.")] = 0
    mean_tokens: float | None = None
    hit_limit: Annotated[float | None, Meta(description="Share of answers cut at the limit.")] = None
    exact_match: Annotated[float | None, Meta(description="Mean over the prompts with a reference.")] = None
    flexible_match: Annotated[float | None, Meta(description="The same in any known form of an answer.")] = None
    format_valid: float | None = None
    repetition: float | None = None
    seconds: float | None = None
    compiles: Annotated[int | None, Meta(description="Number of shapes compiled so far.")] = None


class CompileMetric(_Metric, tag="compile", frozen=True, kw_only=True):
    """A compilation of the train step, after `train_step` train steps."""

    length: Annotated[int, Meta(description="Tokens per row.")]
    seconds: float
    expected: Annotated[bool, Meta(description="False if this length was compiled before.")] = True


class CheckpointMetric(_Metric, tag="checkpoint", frozen=True, kw_only=True):
    """A saved checkpoint."""

    reason: Annotated[str, Meta(description="cadence, best, asked or end.")] = ""
    seconds: float | None = None


class ChangeMetric(_Metric, tag="change", frozen=True, kw_only=True):
    """The run was resumed after `train_step` with another manifest than its checkpoint was trained with."""

    changes: Annotated[
        dict[str, tuple[Any, Any]], Meta(description="By key of the manifest: the value until then, and from then on.")
    ]

    @property
    def words(self) -> str:
        """`optimizer.learning_rate 0.001 to 0.0005`, joined by commas."""
        return ", ".join(f"{key} {before} to {now}" for key, (before, now) in self.changes.items())


class Alert(_Metric, tag="alert", frozen=True, kw_only=True):
    """A sign that the run goes wrong, found by training.recording.alerts."""

    alert: Annotated[str, Meta(description="Name of the sign, such as loss_spike.")] = ""
    evidence: str = ""
    change: Annotated[
        str | dict[str, Any],
        Meta(description="What to try in a clone: hyperparameters, or a sentence if none of them helps."),
    ] = ""


class OtherMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a kind from a later version."""

    kind: str
    train_step: int
    time: float | None = None


Known = TrainMetric | EvalMetric | SamplesMetric | CompileMetric | CheckpointMetric | ChangeMetric | Alert
Metric = Known | OtherMetric
KINDS = ("train", "eval", "samples", "compile", "checkpoint", "change", "alert")


class SampleAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to one fixed prompt: a line of samples.jsonl."""

    train_step: int
    id: str  # of the trace
    prompt: str = ""
    reference: str | None = None
    output: str = ""
    answer: str | None = None  # None: none was found in the output
    scores: dict[str, float | None] = {}
    tokens: int = 0
    hit_limit: bool = False


Record = Known | SampleAnswer
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # raised for a line that is no record

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


@cache  # made when a file is read: a command that lists runs reads none
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def to_line(record: Record) -> bytes:
    """A record as its file holds it, with the line feed."""
    return _encode(record) + b"\n"


def read_metrics(lines: bytes) -> list[Metric]:
    """Whole lines of metrics.jsonl; a line that is no record is left out."""
    return _readable(lines, _decoder(Known), read_metric)


def read_metric(line: bytes) -> Metric:
    """One line of metrics.jsonl. Raises msgspec.DecodeError for an invalid record."""
    try:
        found: Metric = _decoder(Known).decode(line)
    except msgspec.ValidationError:
        other: OtherMetric = _decoder(OtherMetric).decode(line)
        if other.kind in KINDS:
            raise
        return other
    return found


def read_answers(lines: bytes) -> list[SampleAnswer]:
    """Whole lines of samples.jsonl; a line that is no answer is left out."""
    decoder = _decoder(SampleAnswer)
    return _readable(lines, decoder, decoder.decode)


def _readable(lines: bytes, all_at_once: msgspec.json.Decoder[Any], one: Callable[[bytes], T]) -> list[T]:
    """Each line as `one` reads it, but for those that it cannot read."""
    try:
        return list(all_at_once.decode_lines(lines))
    except UNREADABLE:
        pass
    found = []
    for line in lines.split(b"\n"):
        with suppress(*UNREADABLE):
            found += [one(line)] if line else []
    return found


def to_dict(record: Metric) -> dict[str, Any]:
    """Every field of a record, its kind first: as the API answers."""
    return {"kind": record.kind, **msgspec.structs.asdict(record)}
