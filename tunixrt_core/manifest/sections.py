"""The sections of a run manifest: each value with its type, its range and its default."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle

# Module paths of the projections that LoRA may be put on, over all families that Tunix knows.
LORA_MODULES = {
    "attention": ".*q_proj|.*k_proj|.*v_proj|.*o_proj|.*q_einsum|.*kv_einsum|.*attn_vec_einsum",
    "mlp": ".*gate_proj|.*up_proj|.*down_proj",
}
ALL_LORA_MODULES = "|".join(LORA_MODULES.values())


class Method(StrEnum):
    LORA = "lora"
    QLORA = "qlora"  # LoRA beside base weights that are quantised
    FULL = "full"

    @property
    def adapts(self) -> bool:
        """Whether small matrices beside the frozen weights are trained, not the weights themselves."""
        return self is not Method.FULL


class Quantization(StrEnum):
    NF4 = "nf4"
    INT8 = "int8"


class Remat(StrEnum):
    """What the backward pass computes again instead of keeping, as Tunix's models have it."""

    NONE = "none"
    BLOCK = "block"  # the attention of each layer
    DECODER = "decoder"  # each layer


class LengthPolicy(StrEnum):
    """What becomes of a row that is longer than max_seq_length. The answer and the end of turn are never cut."""

    DROP_ROW = "drop_row"
    DROP_STEPS = "drop_steps"  # steps from the middle, until it fits; the first and the last step stay


class ScheduleKind(StrEnum):
    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


class Dtype(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelSection(Section):
    """What is trained."""

    id: str = Field(min_length=1, description="A built-in model (tiny), a Hugging Face directory, or org/name.")
    dtype: Dtype = Field(Dtype.FLOAT32, description="Type of the weights while training.")
    remat: Remat = Field(Remat.NONE, description="Saves memory for time: what the backward pass computes again.")
    flash_attention: bool = Field(False, description="Qwen 2 and Qwen 3 on a TPU only.")


class TokenizerSection(Section):
    """How text becomes tokens."""

    path: str | None = Field(None, description="Directory with tokenizer.json; the model's own where not given.")


class DataSection(Section):
    """The rows: a Tunix SFT JSONL file, train and eval told apart by `metadata.split`."""

    path: str = Field(min_length=1, description="Relative paths are looked up beside the manifest.")
    sha256: Sha256
    rows: int = Field(ge=1)
    train_rows: int = Field(ge=1)
    eval_rows: int = Field(0, ge=0)


class RenderingSection(Section):
    """How a row becomes text. Generation uses the same."""

    reasoning: ReasoningStyle = ReasoningStyle.TAGS
    chat: ChatFormat = ChatFormat.CHATML
    system: str | None = Field(None, description="System prompt for rows that carry none.")


class LoraSection(Section):
    """Read where method is lora or qlora."""

    rank: int = Field(16, ge=1, le=1024)
    alpha: float = Field(32.0, gt=0, le=4096)
    modules: str = Field(ALL_LORA_MODULES, min_length=1, description="Regular expression over module paths.")
    quantization: Quantization = Field(Quantization.NF4, description="Of the base weights; read where method is qlora.")
    tile_size: int = Field(32, ge=8, le=4096, description="Weights that share a scale; read where method is qlora.")


class OptimizerSection(Section):
    """AdamW."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(2e-4, gt=0, le=1.0)
    weight_decay: float = Field(0.0, ge=0, le=1.0)
    b1: float = Field(0.9, ge=0, lt=1)
    b2: float = Field(0.999, ge=0, lt=1)
    max_grad_norm: float | None = Field(1.0, gt=0, description="Gradients are scaled down to this L2 norm.")


class ScheduleSection(Section):
    """The learning rate over the train steps."""

    kind: ScheduleKind = ScheduleKind.COSINE
    warmup_share: float = Field(0.05, ge=0, lt=1, description="Share of the train steps spent rising from zero.")
    final_share: float = Field(0.1, ge=0, le=1, description="Where the rate ends, as a share of learning_rate.")


class BatchSection(Section):
    """Rows of one train step = size x gradient_accumulation. With packing, a row of the batch holds several rows."""

    size: int = Field(8, ge=1, le=65536)
    gradient_accumulation: int = Field(1, ge=1, le=4096)
    packing: bool = Field(False, description="Fill each row of max_seq_length tokens with several rows of the data.")
    length_buckets: int = Field(
        1, ge=1, le=16, description="Without packing: at most this many row lengths, each compiled once."
    )


class LossKind(StrEnum):
    FUSED = "fused"
    PLAIN = "plain"


class LossSection(Section):
    """How the loss is computed; both give the same number."""

    kind: LossKind = Field(LossKind.FUSED, description="fused never holds batch x length x vocabulary; plain does.")
    chunk: int = Field(128, ge=8, le=65536, description="Tokens of each row at once; read where kind is fused.")


class DurationSection(Section):
    """How long to train: epochs, or train steps where given."""

    epochs: float | None = Field(None, gt=0, le=100_000)
    train_steps: int | None = Field(None, ge=1, le=100_000_000)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.epochs is None) == (self.train_steps is None):
            raise ValueError("give either epochs or train_steps")
        return self


class CadenceSection(Section):
    """When to evaluate and when to save, in train steps. The last train step always does both."""

    eval_every: int = Field(50, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    keep_checkpoints: int = Field(2, ge=1, le=1000, description="The last n; the best one is kept beside them.")
    early_stopping: int | None = Field(
        None, ge=1, description="End after this many evaluations in a row without a better eval loss."
    )
    sample_prompts: int = Field(
        4,
        ge=0,
        le=32,
        description="Prompts of the eval split that are answered and scored at each evaluation; 0: none.",
    )
    sample_tokens: int = Field(
        128, ge=1, le=65536, description="At most this many new tokens in each of those answers."
    )


class MeshSection(Section):
    """How the devices are laid out; null means all devices on that axis."""

    fsdp: int | None = Field(None, ge=1)
    tp: int = Field(1, ge=1)


class TrackingSection(Section):
    """Where metrics go besides the run's own metrics.jsonl."""

    tensorboard: bool = Field(True, description="Event files in the run's folder, under tensorboard/.")
    wandb_project: str | None = Field(None, min_length=1, description="Weights & Biases project; needs WANDB_API_KEY.")


class DatasetSection(Section):
    """Which dataset version the data file was exported from; for the reader, not for the trainer."""

    name: str
    version: int = Field(ge=1)
    content_hash: str
