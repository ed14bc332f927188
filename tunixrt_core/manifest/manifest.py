"""The run manifest: typed, validated and portable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import Field, ValidationError

from tunixrt_core.errors import BrokenFile, InvalidManifest
from tunixrt_core.manifest.data_file import describe_data, locate_data
from tunixrt_core.manifest.hyperparameters import Hyper, Hyperparameters
from tunixrt_core.manifest.models import parse_model_name
from tunixrt_core.manifest.presets import preset
from tunixrt_core.manifest.sections import (
    DataSection,
    DatasetSection,
    Dtype,
    LengthPolicy,
    LoraSection,
    MeshSection,
    Method,
    ModelSection,
    PathText,
    RenderingSection,
    Section,
    TokenizerSection,
    TrackingSection,
)
from tunixrt_core.manifest.training_sections import (
    BatchSection,
    CadenceSection,
    DurationSection,
    LossSection,
    OptimizerSection,
    ScheduleSection,
)
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.disks import require_answer
from tunixrt_core.util.files.places import check_path_text
from tunixrt_core.util.files.regular import read_text
from tunixrt_core.util.files.yaml import MOST_BYTES, NotYaml, load_yaml
from tunixrt_core.util.hashing import check_json, content_hash

MANIFEST_VERSION: Literal["1.0"] = "1.0"
_LONGEST_SHOWN = 100  # characters of a wrong value in an error


class RunManifest(Section):
    """One run. Unknown keys and values out of range are refused by name."""

    manifest_version: Literal["1.0"] = "1.0"
    name: Annotated[str, Hyper("name", "Run name")] = Field(
        "run", min_length=1, max_length=120, description="Name of the run."
    )
    model: ModelSection
    tokenizer: TokenizerSection = TokenizerSection()
    data: DataSection
    rendering: RenderingSection = RenderingSection()
    max_seq_length: Annotated[int, Hyper("max_seq_length", "Longest row (tokens)", "tokens")] = Field(
        1024, ge=8, le=1_048_576, description="Maximum tokens per row. Longer rows are handled by too_long."
    )
    too_long: Annotated[LengthPolicy, Hyper("too_long", "Rows that are longer")] = Field(
        LengthPolicy.DROP_ROW,
        description="Leave longer rows out, or drop steps from their middle. The answer, the end of the turn, the "
        "first and the last step are never cut.",
    )
    method: Annotated[Method, Hyper("method", "Train")] = Field(
        Method.LORA, description="Train LoRA, LoRA on quantised base weights, or all weights."
    )
    lora: LoraSection = LoraSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    loss: LossSection = LossSection()
    batch: BatchSection = BatchSection()
    duration: DurationSection = DurationSection(epochs=1)
    cadence: CadenceSection = CadenceSection()
    seed: Annotated[int, Hyper("seed")] = Field(
        0, ge=0, lt=2**32, description="Seed of the order of the rows and of LoRA's first weights."
    )
    mesh: MeshSection = MeshSection()
    tracking: TrackingSection = TrackingSection()
    output_dir: PathText = Field(min_length=1)
    dataset: DatasetSection | None = None

    @property
    def trained_dtype(self) -> Dtype:
        """The number type that trained weights and their moments are held in: what model.trained_dtype is used for."""
        if self.method.adapts or self.model.dtype is Dtype.FLOAT32:
            return Dtype.FLOAT32
        return self.model.trained_dtype

    @property
    def content_hash(self) -> str:
        """sha256 of the canonical JSON: two manifests with the same hash describe the same run."""
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
            check_json(data, "")
        except ValueError as error:
            key, _, reason = str(error).removeprefix(".").partition(": ")
            raise InvalidManifest(key or "manifest", reason) from None
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _translate(error) from None

    @classmethod
    def from_text(cls, text: str) -> RunManifest:
        """From YAML or JSON (which is YAML too). Bounded in size, depth, aliases and numbers."""
        try:
            return cls.from_dict(load_yaml(text))
        except NotYaml as error:
            where = f"line {error.line}" if error.line else "manifest"
            raise InvalidManifest(where, f"is not YAML or JSON ({error.reason})") from None


HYPERPARAMETERS = Hyperparameters(RunManifest)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of a manifest (docs/reference/run-manifest.schema.json)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunManifest.model_json_schema()}


def build_sft_manifest(
    dataset_path: str | Path,
    model_id: str,
    output_dir: str | Path,
    hyperparams: Mapping[str, Any] | None = None,
    *,
    dataset: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A runnable manifest for a Tunix SFT JSONL file, as a dictionary; see make_manifest.

    Raises InvalidManifest for a data file that is missing or holds no train rows too.
    """
    data = describe_data(Path(dataset_path))
    return make_manifest(data, model_id, output_dir, hyperparams or {}, dataset=dataset).to_dict()


def make_manifest(
    data: DataSection,
    model_id: str,
    output_dir: str | Path,
    hyperparams: Mapping[str, Any],
    *,
    dataset: Mapping[str, Any] | None = None,
) -> RunManifest:
    """A runnable manifest. `hyperparams` uses the flat names of HYPERPARAMETERS; the others come from the
    preset of the model and method. `dataset` names the dataset version that the data was exported from.

    Raises InvalidManifest naming the key for an unknown or unusable hyperparameter, and for a model directory that
    does not exist.
    """
    check_model_id(model_id)
    values: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "model": {"id": model_id},
        "data": data.model_dump(),
        "output_dir": str(output_dir),
        "dataset": dict(dataset) if dataset else None,
    }
    HYPERPARAMETERS.write(values, preset(model_id, hyperparams.get("method")), where="preset")
    HYPERPARAMETERS.write(values, hyperparams, where="hyperparams")
    return RunManifest.from_dict(values)


def manifest_without_data(model_id: str, hyperparams: Mapping[str, Any]) -> RunManifest:
    """A manifest of a model with its preset and no data, for estimates. Raises as make_manifest."""
    data = DataSection(path="none", sha256="0" * 64, rows=1, train_rows=1)
    return make_manifest(data, model_id, "none", hyperparams)


def change_manifest(manifest: RunManifest, changes: Mapping[str, Any], **other: Any) -> RunManifest:
    """A copy with hyperparameters, by flat name, and `other` keys of the manifest changed.

    Raises InvalidManifest naming a change that is no hyperparameter, or the key whose new value cannot be used.
    """
    data = manifest.to_dict() | other
    HYPERPARAMETERS.write(data, changes, where="changes")
    return RunManifest.from_dict(data)


def check_model_id(model_id: str) -> None:
    """Check that a reference that can only be a path is a model's directory. Raises InvalidManifest."""
    if not model_id.strip():
        raise InvalidManifest("model_id", "is empty; name a built-in model, a directory, or org/name")
    try:
        check_path_text(model_id)
    except ValueError as error:
        raise InvalidManifest("model_id", str(error)) from None
    path_like = model_id.startswith((".", "~")) or "/" in model_id or "\\" in model_id
    looks_like_path = path_like and parse_model_name(model_id) is None
    if looks_like_path:
        require_answer(Path(model_id).expanduser())
    if looks_like_path and not (Path(model_id).expanduser() / "config.json").is_file():
        raise InvalidManifest(
            "model_id", f"there is no model in {model_id}: a directory with config.json and *.safetensors is needed"
        )


def load_manifest(path: Path) -> RunManifest:
    """Read a manifest file. A relative data path, or one that is not on this machine, is looked for beside it.

    Raises InvalidManifest, also for a file that is missing, no regular file, or too large.
    """
    try:
        manifest = RunManifest.from_text(read_text(path, most=MOST_BYTES, follow=True))
    except FileNotFoundError:
        raise InvalidManifest("manifest", f"there is no file {path}") from None
    except BrokenFile as error:
        raise InvalidManifest("manifest", f"{path} {error.reason}") from None
    return manifest.model_copy(update={"data": locate_data(manifest.data, path.resolve().parent)})


def load_run_manifest(folder: RunDir) -> RunManifest:
    """The manifest of the run in a folder. Raises NotFound, BrokenFile, InvalidManifest."""
    folder.require_whole()
    return load_manifest(folder.manifest_file)


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
    if "input" not in item or item["type"] == "value_error":
        return text
    return f"{text[0].lower()}{text[1:]} (got {_shown(item['input'])})"


def _shown(value: Any) -> str:
    """A value in an error message: short, whatever was given."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "an integer of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
