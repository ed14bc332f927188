"""Sections of a run manifest on the training itself: optimizer to cadence."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tunixrt_core.manifest.hyperparameters import ANY, BUILT_IN, Hyper, Range
from tunixrt_core.manifest.sections import Section


class ScheduleKind(StrEnum):
    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


# Below it little is learned, above it training tends to diverge. The built-in models are so small that they learn
# nothing at the rates of large ones.
_LEARNING_RATE: dict[str, Range] = {
    "lora": (1e-5, 1e-3),
    "qlora": (1e-5, 1e-3),
    "full": (1e-6, 1e-4),
    BUILT_IN: (1e-4, 2e-2),
}


class OptimizerSection(Section):
    """AdamW."""

    name: Literal["adamw"] = "adamw"
    learning_rate: Annotated[
        float,
        Hyper(
            "learning_rate",
            usual=_LEARNING_RATE,
            too_low="little is learned",
            too_high="training tends to diverge",
        ),
    ] = Field(2e-4, gt=0, le=1.0, description="Highest learning rate of the schedule.")
    weight_decay: Annotated[
        float, Hyper("weight_decay", usual={ANY: (0.0, 0.2)}, too_high="weights shrink faster than they learn")
    ] = Field(0.0, ge=0, le=1.0, description="AdamW's weight decay, multiplied by the learning rate.")
    b1: Annotated[float, Hyper("b1")] = Field(0.9, ge=0, lt=1, description="AdamW's decay of the mean gradient.")
    b2: Annotated[float, Hyper("b2")] = Field(0.999, ge=0, lt=1, description="AdamW's decay of the squared gradient.")
    max_grad_norm: Annotated[
        float | None,
        Hyper(
            "max_grad_norm",
            "Clip gradients at",
            "L2 norm",
            usual={ANY: (0.1, 10)},
            too_low="nearly every train step is clipped",
            too_high="almost no train step is clipped",
        ),
    ] = Field(1.0, gt=0, description="Gradients are scaled down to this L2 norm; null: never.")


class Extension(Section):
    """A resume after which the schedule is not that of the whole run."""

    after: int = Field(ge=1, le=100_000_000, description="Train steps done when the run was extended.")
    total: int = Field(ge=1, le=100_000_000, description="Train steps that the run was planned for until then.")
    then: Literal["keep", "restart"] = Field(
        description="From then on: keep the last learning rate, or restart the schedule over the new train steps."
    )


class ScheduleSection(Section):
    """The learning rate over the train steps."""

    kind: Annotated[ScheduleKind, Hyper("schedule")] = Field(
        ScheduleKind.COSINE, description="How the learning rate falls after the warm-up."
    )
    warmup_share: Annotated[
        float,
        Hyper(
            "warmup_share",
            "Warm-up share",
            "share of train steps",
            usual={ANY: (0.0, 0.3)},
            too_high="much of the run trains below its learning rate",
        ),
    ] = Field(0.05, ge=0, lt=1, description="Share of the train steps in which the learning rate rises from zero.")
    final_share: Annotated[float, Hyper("final_share", unit="share of learning_rate")] = Field(
        0.1, ge=0, le=1, description="Learning rate at the end, as a share of learning_rate."
    )
    extensions: tuple[Extension, ...] = Field(
        (),
        max_length=1_000,
        description="Where the run was extended by `--schedule keep` or `restart`, in order. Written by a resume; "
        "empty: one schedule over the whole run.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        ends = [each.after for each in self.extensions]
        if ends != sorted(set(ends)) or any(each.total < each.after for each in self.extensions):
            raise ValueError("extensions must be in the order of after, each with a total of at least that")
        return self

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # the manifest of a run that was never extended, and its hash, are those of earlier versions
        return {key: value for key, value in write(self).items() if key != "extensions" or value}


class BatchSection(Section):
    """Rows of one train step = size x gradient_accumulation. With packing, a row of the batch holds several rows."""

    size: Annotated[int, Hyper("batch_size", unit="rows")] = Field(8, ge=1, le=65536, description="Rows per batch.")
    gradient_accumulation: Annotated[int, Hyper("gradient_accumulation", unit="batches")] = Field(
        1, ge=1, le=4096, description="Batches per train step."
    )
    packing: Annotated[bool, Hyper("packing", "Pack several rows into one")] = Field(
        False,
        description="Fill each row of max_seq_length tokens with several rows of the data, which do not see each "
        "other: less padding, fewer train steps per epoch.",
    )
    length_buckets: Annotated[int, Hyper("length_buckets", "Row lengths", "lengths")] = Field(
        1,
        ge=1,
        le=16,
        description="Without packing: maximum number of row lengths. Each is compiled once; more pad less.",
    )


class LossKind(StrEnum):
    FUSED = "fused"
    PLAIN = "plain"


class LossSection(Section):
    """How the loss is computed; both give the same number, but for rounding."""

    kind: Annotated[LossKind, Hyper("loss")] = Field(
        LossKind.FUSED, description="fused never holds logits of batch x length x vocabulary; plain does."
    )
    chunk: Annotated[int | None, Hyper("loss_chunk", unit="tokens")] = Field(
        None,
        ge=8,
        le=65536,
        description="Tokens per row computed at once; null: chosen by vocabulary and batch. Used if loss is fused.",
    )


class DurationSection(Section):
    """How long to train: epochs, or train steps if given."""

    epochs: Annotated[
        float | None,
        Hyper(
            "epochs",
            unit="epochs",
            usual={ANY: (0.1, 20), BUILT_IN: (1, 200)},
            too_low="little is learned",
            too_high="the model memorises its rows",
        ),
    ] = Field(None, gt=0, le=100_000, description="Passes over the train rows; null if train_steps is given.")
    train_steps: Annotated[int | None, Hyper("train_steps", unit="train steps")] = Field(
        None, ge=1, le=100_000_000, description="Total train steps, instead of epochs."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.epochs is None) == (self.train_steps is None):
            raise ValueError("give either epochs or train_steps")
        return self


class CadenceSection(Section):
    """When to evaluate and when to save, in train steps. The last train step always does both."""

    eval_every: Annotated[int, Hyper("eval_every", "Evaluate every", "train steps")] = Field(
        50, ge=1, description="Train steps from one evaluation to the next."
    )
    checkpoint_every: Annotated[int, Hyper("checkpoint_every", "Save every", "train steps")] = Field(
        100, ge=1, description="Train steps from one checkpoint to the next."
    )
    keep_checkpoints: Annotated[int, Hyper("keep_checkpoints", "Checkpoints kept", "checkpoints")] = Field(
        2, ge=1, le=1000, description="Number of latest checkpoints to keep; the best one is kept too."
    )
    early_stopping: Annotated[int | None, Hyper("early_stopping", "End early after", "evaluations")] = Field(
        None,
        ge=1,
        description="End after this many evaluations in a row without a better eval loss; null: never.",
    )
    sample_prompts: Annotated[int, Hyper("sample_prompts", unit="prompts")] = Field(
        4,
        ge=0,
        le=32,
        description="Number of eval prompts answered and scored at each evaluation; 0: none.",
    )
    sample_tokens: Annotated[int, Hyper("sample_tokens", unit="tokens")] = Field(
        128, ge=1, le=65536, description="Maximum new tokens per answer to these prompts."
    )
