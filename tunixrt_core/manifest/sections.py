"""Sections of a run manifest on model, data, text and place."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tunixrt_core.manifest.hyperparameters import Hyper, Range
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.row import TurnOptions, render, render_prompt
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Rendered
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.files.places import check_path_text

# Module paths of the projections that LoRA can be added to, over all families that Tunix knows.
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
        """Whether small matrices are trained in addition to the frozen weights, not the weights themselves."""
        return self is not Method.FULL


class Quantization(StrEnum):
    NF4 = "nf4"
    INT8 = "int8"


class Remat(StrEnum):
    """What the backward pass recomputes instead of storing, as Tunix's models have it."""

    NONE = "none"
    BLOCK = "block"  # the attention of each layer
    DECODER = "decoder"  # each layer


class Attention(StrEnum):
    """How attention is computed while training."""

    AUTO = "auto"  # by segments: splash attention on a TPU, blockwise elsewhere
    REFERENCE = "reference"  # Tunix's own layers, with a mask of length x length


class LengthPolicy(StrEnum):
    """What happens to a row longer than max_seq_length. The answer and the end of turn are never cut."""

    DROP_ROW = "drop_row"
    DROP_STEPS = "drop_steps"  # steps from the middle, until it fits; the first and the last step stay


class Dtype(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


PathText = Annotated[str, AfterValidator(check_path_text)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelSection(Section):
    """What is trained."""

    id: PathText = Field(min_length=1, description="A built-in model (tiny), a Hugging Face directory, or org/name.")
    dtype: Annotated[Dtype, Hyper("dtype", "Computed in")] = Field(
        Dtype.FLOAT32,
        description="Number type that the model computes in and frozen weights are held in; bfloat16 takes half the "
        "memory.",
    )
    trained_dtype: Annotated[Dtype, Hyper("trained_dtype", "Trained weights")] = Field(
        Dtype.FLOAT32,
        description="Number type that trained weights and AdamW's moments are held in; bfloat16 loses most updates at "
        "usual learning rates. Used if method is full and dtype is bfloat16; LoRA is always held in float32.",
    )
    remat: Annotated[Remat, Hyper("remat", "Compute again")] = Field(
        Remat.NONE, description="What the backward pass recomputes instead of storing: less memory, more time."
    )
    attention: Annotated[Attention, Hyper("attention")] = Field(
        Attention.AUTO,
        description="auto: memory grows with the length of a row; splash attention on a TPU, blockwise elsewhere. "
        "reference: Tunix's own, whose memory grows with the square of the length. Both give the same loss.",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, data: Any) -> Any:
        """Earlier versions had flash_attention: false was Tunix's own attention, true the kernel of a TPU."""
        if not isinstance(data, dict) or "flash_attention" not in data:
            return data
        given = {key: value for key, value in data.items() if key != "flash_attention"}
        if "attention" in given or not isinstance(flash := data["flash_attention"], bool):
            raise ValueError("flash_attention was replaced by attention. Remove it; attention is auto or reference")
        return {**given, "attention": Attention.AUTO if flash else Attention.REFERENCE}


class TokenizerSection(Section):
    """How text becomes tokens."""

    path: Annotated[PathText | None, Hyper("tokenizer")] = Field(
        None, description="Directory with tokenizer.json; null: the model's own."
    )


class DataSection(Section):
    """The rows: a Tunix SFT JSONL file, with the split in `metadata.split`."""

    path: PathText = Field(
        min_length=1, description="Path of the data file; a relative one is resolved from the manifest's folder."
    )
    sha256: Sha256
    rows: int = Field(ge=1)
    train_rows: int = Field(ge=1)
    eval_rows: int = Field(0, ge=0)


class RenderingSection(Section):
    """How a row becomes text. Generation uses the same."""

    reasoning: Annotated[ReasoningStyle, Hyper("reasoning", "The model learns to write")] = Field(
        ReasoningStyle.TAGS, description="How steps and answer are written in the completion."
    )
    chat: Annotated[ChatFormat, Hyper("chat", "Chat format")] = Field(
        ChatFormat.CHATML, description="Format of the control tokens around prompt and completion."
    )
    system: Annotated[str | None, Hyper("system", "System prompt")] = Field(
        None, description="System prompt for rows without one."
    )
    train_on: Annotated[TrainOn, Hyper("train_on", "Train on")] = Field(
        TrainOn.LAST,
        description="Which turns of the assistant are trained on: the last one, all, or the last one and those that "
        "the data marks. What users, systems and tools say never is.",
    )
    earlier_thinking: Annotated[EarlierThinking, Hyper("earlier_thinking", "Thinking of earlier turns")] = Field(
        EarlierThinking.TEMPLATE,
        description="What happens to the thinking of turns before the last one: as the model's own template does, "
        "kept or dropped.",
    )

    @property
    def turns(self) -> TurnOptions:
        """What a row trains on of a conversation, and keeps of the thinking in it."""
        return TurnOptions(train_on=self.train_on, thinking=self.earlier_thinking)

    def row(self, trace: Trace) -> Rendered:
        """The text of a row. Raises InvalidTrace where the chat format cannot write its conversation."""
        return render(trace, self.reasoning, self.chat, system=self.system, turns=self.turns)

    def asked(self, trace: Trace) -> str:
        """The prompt of a row, as generation gets it. Raises InvalidTrace as `row` does."""
        return self.prompt(trace.prompt, trace.system or None, trace.conversation)

    def prompt(self, prompt: str, system: str | None = None, conversation: Conversation = NO_CONVERSATION) -> str:
        """The text that a model is asked with. `system`: None for the manifest's, an empty text for none. Raises
        InvalidTrace as `row` does.
        """
        return render_prompt(
            prompt,
            self.chat,
            self.reasoning,
            system=self.system if system is None else system,
            conversation=conversation,
            turns=self.turns,
        )


_LORA_RANK: dict[str, Range] = {"lora": (4, 256), "qlora": (4, 256)}
_LORA_ALPHA: dict[str, Range] = {"lora": (4, 512), "qlora": (4, 512)}


class LoraSection(Section):
    """Used if method is lora or qlora."""

    rank: Annotated[
        int,
        Hyper(
            "lora_rank",
            "Rank",
            usual=_LORA_RANK,
            too_low="LoRA can learn little",
            too_high="LoRA loses its advantage in memory",
        ),
    ] = Field(16, ge=1, le=1024, description="Rank of the matrices that LoRA trains.")
    alpha: Annotated[
        float,
        Hyper(
            "lora_alpha",
            "Alpha",
            usual=_LORA_ALPHA,
            too_low="LoRA barely changes the model",
            too_high="training tends to diverge",
        ),
    ] = Field(32.0, gt=0, le=4096, description="LoRA's output is multiplied by alpha / rank.")
    modules: Annotated[str, Hyper("lora_modules", "LoRA modules")] = Field(
        ALL_LORA_MODULES, min_length=1, description="Regular expression over the paths of the modules with LoRA."
    )
    quantization: Annotated[Quantization, Hyper("quantization", "Base weights")] = Field(
        Quantization.NF4, description="Number type of the base weights; used if method is qlora."
    )
    tile_size: Annotated[int, Hyper("tile_size", unit="weights")] = Field(
        32,
        ge=8,
        le=4096,
        description="Weights that share a scale; must divide the inputs of each module. Used if method is qlora.",
    )


class MeshSection(Section):
    """How the devices are laid out; null means all devices on that axis."""

    fsdp: Annotated[int | None, Hyper("mesh_fsdp", unit="devices")] = Field(
        None,
        ge=1,
        description="Devices over which weights and rows are spread; null: the most that divide batch and devices.",
    )
    tp: Annotated[int, Hyper("mesh_tp", unit="devices")] = Field(
        1, ge=1, description="Devices over which each layer is split."
    )

    def shape_over(self, devices: int, batch_size: int) -> tuple[int, int]:
        """fsdp and tp over this many devices. An open fsdp divides the devices too: the compiler of a TPU slice ends
        the process over 3 or 6 of 8 chips (libtpu 0.0.42).
        """
        return self.fsdp or math.gcd(batch_size, max(1, devices // self.tp)), self.tp


class TrackingSection(Section):
    """Where metrics go besides the run's own metrics.jsonl."""

    tensorboard: Annotated[bool, Hyper("tensorboard", "TensorBoard")] = Field(
        True, description="Write event files into the run's folder, under tensorboard/."
    )
    wandb_project: Annotated[str | None, Hyper("wandb_project", "Weights & Biases project")] = Field(
        None, min_length=1, description="Weights & Biases project; needs WANDB_API_KEY."
    )


class DatasetSection(Section):
    """Which dataset version the data file was exported from; for the reader, not for the trainer."""

    name: str
    version: int = Field(ge=1)
    content_hash: str
