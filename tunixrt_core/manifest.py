"""The run manifest: everything that one run needs, typed, validated, and runnable on another machine as it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.hashing import content_hash, file_sha256
from tunixrt_core.render import ChatFormat, ReasoningStyle

MANIFEST_VERSION: Literal["1.0"] = "1.0"

# Module paths of the projections that LoRA may be put on, over all families that Tunix knows.
LORA_MODULES = {
    "attention": ".*q_proj|.*k_proj|.*v_proj|.*o_proj|.*q_einsum|.*kv_einsum|.*attn_vec_einsum",
    "mlp": ".*gate_proj|.*up_proj|.*down_proj",
}
ALL_LORA_MODULES = "|".join(LORA_MODULES.values())

# What the dashboard, the API and `tunixrt manifest` start from, by the model's kind and the method.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "method": "full",
        "learning_rate": 3e-3,
        "batch_size": 32,
        "max_seq_length": 512,  # rows are padded to the longest one there is, so room costs nothing
        "epochs": 20,
        "max_grad_norm": 1.0,
        "weight_decay": 0.01,
    },
    "lora": {
        "method": "lora",
        "lora_rank": 16,
        "lora_alpha": 32.0,
        "learning_rate": 2e-4,
        "batch_size": 8,
        "max_seq_length": 1024,
        "epochs": 2,
    },
    "full": {"method": "full", "learning_rate": 1e-5, "batch_size": 8, "max_seq_length": 1024, "epochs": 2},
}


class Method(StrEnum):
    LORA = "lora"
    FULL = "full"


class ScheduleKind(StrEnum):
    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


class Dtype(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelSection(_Section):
    """What is trained."""

    id: str = Field(min_length=1, description="A built-in model (tiny), a Hugging Face directory, or org/name.")
    dtype: Dtype = Field(Dtype.FLOAT32, description="Type of the weights while training.")


class TokenizerSection(_Section):
    """How text becomes tokens."""

    path: str | None = Field(None, description="Directory with tokenizer.json; the model's own where not given.")


class DataSection(_Section):
    """The rows: a Tunix SFT JSONL file, train and eval told apart by `metadata.split`."""

    path: str = Field(min_length=1, description="Relative paths are looked up beside the manifest.")
    sha256: Sha256
    rows: int = Field(ge=1)
    train_rows: int = Field(ge=1)
    eval_rows: int = Field(0, ge=0)


class RenderingSection(_Section):
    """How a row becomes text. Generation uses the same."""

    reasoning: ReasoningStyle = ReasoningStyle.TAGS
    chat: ChatFormat = ChatFormat.CHATML
    system: str | None = Field(None, description="System prompt for rows that carry none.")


class LoraSection(_Section):
    """Read where method is lora."""

    rank: int = Field(16, ge=1, le=1024)
    alpha: float = Field(32.0, gt=0, le=4096)
    modules: str = Field(ALL_LORA_MODULES, min_length=1, description="Regular expression over module paths.")


class OptimizerSection(_Section):
    """AdamW."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(2e-4, gt=0, le=1.0)
    weight_decay: float = Field(0.0, ge=0, le=1.0)
    b1: float = Field(0.9, ge=0, lt=1)
    b2: float = Field(0.999, ge=0, lt=1)
    max_grad_norm: float | None = Field(1.0, gt=0, description="Gradients are scaled down to this L2 norm.")


class ScheduleSection(_Section):
    """The learning rate over the train steps."""

    kind: ScheduleKind = ScheduleKind.COSINE
    warmup_share: float = Field(0.05, ge=0, lt=1, description="Share of the train steps spent rising from zero.")
    final_share: float = Field(0.1, ge=0, le=1, description="Where the rate ends, as a share of learning_rate.")


class BatchSection(_Section):
    """Rows of one train step = size x gradient_accumulation."""

    size: int = Field(8, ge=1, le=65536)
    gradient_accumulation: int = Field(1, ge=1, le=4096)


class DurationSection(_Section):
    """How long to train: epochs, or train steps where given."""

    epochs: float | None = Field(None, gt=0, le=100_000)
    train_steps: int | None = Field(None, ge=1, le=100_000_000)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.epochs is None) == (self.train_steps is None):
            raise ValueError("give either epochs or train_steps")
        return self


class CadenceSection(_Section):
    """When to evaluate and when to save, in train steps. The last train step always does both."""

    eval_every: int = Field(50, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    keep_checkpoints: int = Field(2, ge=1, le=1000)


class MeshSection(_Section):
    """How the devices are laid out; null means all devices on that axis."""

    fsdp: int | None = Field(None, ge=1)
    tp: int = Field(1, ge=1)


class DatasetSection(_Section):
    """Which dataset version the data file was exported from; for the reader, not for the trainer."""

    name: str
    version: int = Field(ge=1)
    content_hash: str


class RunManifest(_Section):
    """One run. Unknown keys and values out of range are refused by name."""

    manifest_version: Literal["1.0"] = "1.0"
    name: str = Field("run", min_length=1, max_length=120)
    model: ModelSection
    tokenizer: TokenizerSection = TokenizerSection()
    data: DataSection
    rendering: RenderingSection = RenderingSection()
    max_seq_length: int = Field(1024, ge=8, le=1_048_576, description="Tokens; longer rows are left out and counted.")
    method: Method = Method.LORA
    lora: LoraSection = LoraSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    batch: BatchSection = BatchSection()
    duration: DurationSection = DurationSection(epochs=1)
    cadence: CadenceSection = CadenceSection()
    seed: int = Field(0, ge=0, lt=2**32)
    mesh: MeshSection = MeshSection()
    output_dir: str = Field(min_length=1)
    dataset: DatasetSection | None = None

    @property
    def content_hash(self) -> str:
        """sha256 of the canonical JSON: two manifests with the same hash ask for the same run."""
        return content_hash(self.to_dict())

    def total_train_steps(self, train_rows: int) -> int:
        """Train steps of the whole run over this many usable rows; a started batch counts."""
        if self.duration.train_steps is not None:
            return self.duration.train_steps
        assert self.duration.epochs is not None
        rows = self.duration.epochs * train_rows
        return max(1, math.ceil(rows / (self.batch.size * self.batch.gradient_accumulation)))

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=100)

    def to_json(self) -> str:
        return orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2).decode() + "\n"

    @classmethod
    def from_dict(cls, data: Any) -> RunManifest:
        """Raises InvalidManifest naming the first key that is wrong; `details["errors"]` lists all of them."""
        if not isinstance(data, Mapping):
            raise InvalidManifest("manifest", "must be a mapping of keys to values")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _translate(error) from None

    @classmethod
    def from_text(cls, text: str) -> RunManifest:
        """From YAML or JSON (which is YAML too)."""
        try:
            return cls.from_dict(yaml.safe_load(text))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"line {mark.line + 1}" if mark else "manifest"
            raise InvalidManifest(where, f"is not YAML or JSON ({getattr(error, 'problem', error)})") from None


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of a manifest (docs/run-manifest.schema.json)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunManifest.model_json_schema()}


# Flat names for hyperparameters, as forms, the API and the command line use them -> where they stand.
HYPERPARAMETERS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "method": ("method",),
    "dtype": ("model", "dtype"),
    "tokenizer": ("tokenizer", "path"),
    "reasoning": ("rendering", "reasoning"),
    "chat": ("rendering", "chat"),
    "system": ("rendering", "system"),
    "max_seq_length": ("max_seq_length",),
    "lora_rank": ("lora", "rank"),
    "lora_alpha": ("lora", "alpha"),
    "lora_modules": ("lora", "modules"),
    "learning_rate": ("optimizer", "learning_rate"),
    "weight_decay": ("optimizer", "weight_decay"),
    "b1": ("optimizer", "b1"),
    "b2": ("optimizer", "b2"),
    "max_grad_norm": ("optimizer", "max_grad_norm"),
    "schedule": ("schedule", "kind"),
    "warmup_share": ("schedule", "warmup_share"),
    "final_share": ("schedule", "final_share"),
    "batch_size": ("batch", "size"),
    "gradient_accumulation": ("batch", "gradient_accumulation"),
    "epochs": ("duration", "epochs"),
    "train_steps": ("duration", "train_steps"),
    "eval_every": ("cadence", "eval_every"),
    "checkpoint_every": ("cadence", "checkpoint_every"),
    "keep_checkpoints": ("cadence", "keep_checkpoints"),
    "seed": ("seed",),
    "mesh_fsdp": ("mesh", "fsdp"),
    "mesh_tp": ("mesh", "tp"),
}


def build_sft_manifest(
    dataset_path: str | Path,
    model_id: str,
    output_dir: str | Path,
    hyperparams: Mapping[str, Any] | None = None,
    *,
    dataset: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A runnable manifest for a Tunix SFT JSONL file.

    `hyperparams` uses the flat names of HYPERPARAMETERS; what it leaves out comes from the preset of the model and
    method. `dataset` names the dataset version of the file. Raises InvalidManifest naming the key for an unknown or
    unusable hyperparameter, a data file that is missing or holds no train rows, a model directory that is not there.
    """
    given = dict(hyperparams or {})
    if unknown := sorted(set(given) - set(HYPERPARAMETERS)):
        raise InvalidManifest(
            f"hyperparams.{unknown[0]}", f"is not a hyperparameter; known are {', '.join(HYPERPARAMETERS)}"
        )
    check_model_id(model_id)
    values = {**preset(model_id, given.get("method")), **given}
    if given.get("train_steps") is not None:
        values["epochs"] = given.get("epochs")
    data: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "name": "run",
        "model": {"id": model_id},
        "data": describe_data(Path(dataset_path)),
        "rendering": {},
        "output_dir": str(output_dir),
        "dataset": dict(dataset) if dataset else None,
    }
    for key, value in values.items():
        _set(data, HYPERPARAMETERS[key], value)
    return RunManifest.from_dict(data).to_dict()


def preset(model_id: str, method: str | None = None) -> dict[str, Any]:
    """The hyperparameters to start from for a model, by flat name."""
    from_name = {"chat": guess_chat_format(model_id).value}
    if model_id in BUILTIN_MODEL_IDS and method in (None, "full"):
        return {**PRESETS["tiny"], **from_name}
    kind = method if method in PRESETS else "lora"
    tiny = {k: PRESETS["tiny"][k] for k in ("max_seq_length", "batch_size", "epochs")}
    return {**PRESETS[kind], **(tiny if model_id in BUILTIN_MODEL_IDS else {}), **from_name}


# Names that tunix_backend.tiny knows how to write; kept here because a manifest is made without Tunix too.
BUILTIN_MODEL_IDS = ("tiny", "tiny-micro")


def guess_chat_format(model_id: str) -> ChatFormat:
    """From the model's name; ChatML where the name tells nothing."""
    name = model_id.rstrip("/").rsplit("/", 1)[-1].casefold()
    if "gemma" in name:
        return ChatFormat.GEMMA
    if "llama" in name:
        return ChatFormat.LLAMA3
    return ChatFormat.CHATML


def check_model_id(model_id: str) -> None:
    """A reference that can only be a path must lead to a model's directory now. Raises InvalidManifest."""
    if not model_id.strip():
        raise InvalidManifest("model_id", "is empty; name a built-in model, a directory, or org/name")
    looks_like_path = model_id.startswith(("/", ".", "~")) or model_id.count("/") > 1 or "\\" in model_id
    if looks_like_path and not (Path(model_id).expanduser() / "config.json").is_file():
        raise InvalidManifest(
            "model_id", f"there is no model in {model_id}: a directory with config.json and *.safetensors is needed"
        )


def describe_data(path: Path) -> dict[str, Any]:
    """The data section of a Tunix SFT JSONL file: its hash and its rows by split. Raises InvalidManifest."""
    if not path.is_file():
        raise InvalidManifest("dataset_path", f"there is no file {path}; export a dataset version first")
    counts = {"train": 0, "eval": 0}
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                counts[_split_of(line, number, path)] += 1
    if not counts["train"]:
        raise InvalidManifest("dataset_path", f"{path} holds no rows to train on")
    return {
        "path": str(path),
        "sha256": file_sha256(path),
        "rows": sum(counts.values()),
        "train_rows": counts["train"],
        "eval_rows": counts["eval"],
    }


def _split_of(line: bytes, number: int, path: Path) -> str:
    try:
        row = orjson.loads(line)
        split = (row.get("metadata") or {}).get("split") or "train"
    except (orjson.JSONDecodeError, AttributeError):
        raise InvalidManifest("dataset_path", f"{path}, line {number}: is not a JSON object") from None
    if missing := [key for key in ("prompt", "trace_steps", "final_answer") if key not in row]:
        raise InvalidManifest("dataset_path", f"{path}, line {number}: {missing[0]} is missing; export as tunix_sft")
    if split not in ("train", "eval"):
        raise InvalidManifest("dataset_path", f"{path}, line {number}: metadata.split is {split!r}, not train or eval")
    return str(split)


def load_manifest(path: Path) -> RunManifest:
    """Read a manifest file. A relative data path, or one that is not on this machine, is looked for beside it."""
    try:
        manifest = RunManifest.from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidManifest("manifest", f"there is no file {path}") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise InvalidManifest("manifest", f"{path} is not a text file") from None
    return _locate_data(manifest, path.resolve().parent)


def _locate_data(manifest: RunManifest, beside: Path) -> RunManifest:
    named = Path(manifest.data.path).expanduser()
    for candidate in (beside / named, named, beside / named.name):
        if candidate.is_file():
            data = manifest.data.model_copy(update={"path": str(candidate.resolve())})
            return manifest.model_copy(update={"data": data})
    raise InvalidManifest("data.path", f"there is no file {named}, nor {named.name} beside the manifest")


def check_data_unchanged(manifest: RunManifest) -> None:
    """Raises InvalidManifest where the data file is missing or is not the one that the manifest was made for."""
    path = Path(manifest.data.path)
    if not path.is_file():
        raise InvalidManifest("data.path", f"there is no file {path}; copy it there, or build the manifest again")
    if file_sha256(path) != manifest.data.sha256:
        raise InvalidManifest(
            "data.sha256", f"{path} has changed since the manifest was made; build the manifest again"
        )


def _set(data: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        data = data.setdefault(key, {})
    data[keys[-1]] = value


def _translate(error: ValidationError) -> InvalidManifest:
    found = [(".".join(str(part) for part in item["loc"]) or "manifest", _reason(item)) for item in error.errors()]
    invalid = InvalidManifest(*found[0])
    invalid.details["errors"] = [{"key": key, "reason": reason} for key, reason in found]
    return invalid


def _reason(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "is not a key of a manifest"
    if item["type"] == "missing":
        return "is missing"
    text = str(item["msg"]).removeprefix("Value error, ")
    return (
        f"{text[0].lower()}{text[1:]} (got {item['input']!r})"
        if "input" in item and item["type"] != "value_error"
        else text
    )
