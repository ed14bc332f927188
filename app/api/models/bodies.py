"""Request bodies, which refuse unknown fields by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from tunixrt_core.datasets.spec import Allocation, DatasetSpec, Dedupe, Negatives, Selection, SplitBy, TokenCount
from tunixrt_core.manifest.manifest import HYPERPARAMETERS
from tunixrt_core.runs.evaluation_record import TARGETS, Target
from tunixrt_core.training.ahead.costs import STEPS, StepKind
from tunixrt_core.training.learning_rate import ScheduleChoice
from tunixrt_core.training.model_export import SHARD_BYTES
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.trainer import Sampling

# name of a download or an exported file, never a path
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepBody(Body):
    content: str
    type: str = "reason"
    i: int | None = None


# the route has converted numbers, true and false to text before this check
AnswerText = Annotated[
    str,
    WithJsonSchema(
        {
            "type": ["string", "number", "boolean"],
            "description": "A number, true or false is read as its literal text in the body.",
        }
    ),
]


class LayoutBody(Body):
    """Text between steps and around the answer, where it is more than line ends."""

    between: list[str] = Field([], description="Text before each reasoning step, and after the last.")
    solution: int = Field(0, ge=0, description="Number of last steps that come after the reasoning.")
    answer_at: int | None = Field(
        None, ge=0, description="Position at which the answer begins in the last step; null if it does not."
    )
    before_answer: str = ""
    after_answer: str = ""


class TraceBody(Body):
    """One trace. Steps may be plain text."""

    prompt: str
    steps: list[str | StepBody]
    final_answer: AnswerText
    meta: dict[str, Any] = {}
    system: str | None = None
    reference_answer: AnswerText | None = None
    source: str | None = None
    model: str | None = None
    layout: LayoutBody | None = None
    trace_version: Literal["1.0"] = "1.0"


class DatasetBody(Body):
    """Dataset spec: the selection of traces and their split."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    source: str | None = None
    model: str | None = None
    text: str = ""
    selection: Selection = "all"
    limit: int | None = Field(None, ge=1, le=2**31 - 1)
    seed: int = Field(0, ge=0, lt=2**63)
    eval_share: float = Field(0.1, ge=0, lt=1)
    dedupe: Dedupe = "none"
    tags: list[str] = Field([], max_length=100, description="All of them.")
    correct: bool | None = Field(None, description="Whether the answer is right by its reference.")
    negatives: Negatives = Field("exclude", description="Traces that their file or a person calls wrong or rejected.")
    score: str | None = Field(None, description="Name of a score that must be there, from min_score to max_score.")
    min_score: float | None = None
    max_score: float | None = None
    min_steps: int | None = Field(None, ge=0, lt=2**63)
    max_steps: int | None = Field(None, ge=0, lt=2**63)
    min_length: int | None = Field(None, ge=0, lt=2**63, description="Minimum bytes of the trace's canonical JSON.")
    max_length: int | None = Field(None, ge=0, lt=2**63)
    after: str | None = Field(None, description="Stored at or after this time, ISO 8601.")
    before: str | None = Field(None, description="Stored before this time, ISO 8601.")
    by: str | None = Field(
        None, description="stratified: source, model or meta.KEY; top, best and budget: the name of a score."
    )
    allocation: Allocation = "proportional"
    budget: int | None = Field(None, ge=1, lt=2**63, description="Maximum estimated tokens, for selection budget.")
    tokens: TokenCount = Field("bytes", description="How tokens are estimated: UTF-8 bytes divided by four, or words.")
    split_by: SplitBy = "prompt"
    gates: dict[str, str | dict[str, Any]] = Field(
        {}, description="`{gate: action}` or `{gate: {action, setting: value}}`; action off, warn or exclude."
    )
    eval_file: FileName | None = Field(
        None, description="File in the home's `datasets` that the contamination gate compares with."
    )

    def spec(self) -> DatasetSpec:
        return DatasetSpec.from_dict(self.model_dump(exclude={"eval_file"}))


class ExportBody(Body):
    """Either `trace_ids`, or `dataset` with `version` (default: the newest)."""

    trace_ids: list[str] | None = Field(None, min_length=1, max_length=10_000)
    dataset: str | None = None
    version: Version | None = None
    name: FileName = Field("export.jsonl", description="Name of the downloaded file.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.trace_ids is None) == (self.dataset is None):
            raise ValueError("Name either trace_ids or a dataset.")
        if self.version is not None and self.dataset is None:
            raise ValueError("version requires dataset.")
        return self


def _describe_values(schema: dict[str, Any]) -> None:
    """Built when the OpenAPI description is requested, as it takes longer than the rest of this module."""
    values = {name: row.schema() for name, row in HYPERPARAMETERS.items()}
    schema.update(properties=values, additionalProperties=False)


# making the manifest checks the values; its errors name the keys
FlatValues = Annotated[dict[str, Any], Field(json_schema_extra=_describe_values)]


class ManifestBody(Body):
    """Either `dataset` with `version` (default: the newest), or `export`."""

    dataset: str | None = None
    version: Version | None = None
    export: FileName | None = Field(None, description="File in the home's `datasets`.")
    model_id: str = Field(min_length=1)
    output_dir: str | None = Field(
        None, min_length=1, description="Output directory. Default: the folder of the next run."
    )
    hyperparameters: FlatValues = Field(
        {},
        description="Values by flat name. Others come from the preset of the model and method, or from their defaults.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.export is None) == (self.dataset is None):
            raise ValueError("Name either a dataset or an export.")
        if self.version is not None and self.dataset is None:
            raise ValueError("version requires dataset.")
        return self


def _known_code(code: str) -> str:
    if code not in CHECKS:
        raise ValueError(f"{code!r} is not the code of a check. Use one of {', '.join(CHECKS)}")
    return code


Code = Annotated[str, AfterValidator(_known_code), Field(json_schema_extra={"enum": list(CHECKS)})]


class PreflightBody(Body):
    manifest: dict[str, Any] = Field(description="Run manifest, as returned by POST /api/tunix/sft/manifest.")
    rows: list[Annotated[int, Field(ge=1, lt=2**31)]] = Field(
        [], max_length=50, description="Rows to show, by line number in the data file."
    )
    allow: list[Code] = Field([], max_length=100, description="Codes of findings that must not block.")


class DryRunBody(Body):
    manifest: dict[str, Any] = Field(description="Run manifest, as returned by POST /api/tunix/sft/manifest.")


class SliceReportBody(Body):
    manifest: dict[str, Any] = Field(description="Run manifest, as returned by POST /api/tunix/sft/manifest.")
    slice: str = Field(max_length=40, description="TPU slice, such as v6e-4, v5e-8 or v4-8.")
    steps: list[StepKind] = Field(
        list(STEPS), min_length=1, max_length=3, description="Steps to compile: train, evaluation, generation."
    )


class ModelExportBody(Body):
    format: Literal["merged", "peft"] = Field("merged", description="merged: the whole model. peft: the LoRA alone.")
    max_shard_bytes: int = Field(
        SHARD_BYTES, ge=1_000_000, le=10**15, description="Maximum bytes per weight file of a merged model."
    )
    check_with_transformers: bool | None = Field(
        None, description="Whether Hugging Face's own code also checks the export. Null: only if it is installed."
    )
    checkpoint: str = Field("last", pattern=r"^(last|best|[0-9]{1,9})$", description="last, best or a train step.")


MAX_PROCESSES = 4096


class RunBody(Body):
    manifest: dict[str, Any] = Field(description="Run manifest, as returned by POST /api/tunix/sft/manifest.")
    allow: list[Code] = Field([], max_length=100, description="Codes of preflight findings that must not block.")
    parent: str | None = Field(
        None, min_length=1, max_length=100, description="Id of the run that this one clones; recorded with the run."
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=MAX_PROCESSES,
        description="Machines of a Ray cluster that train it together, one process each. Null: one, or the hosts of "
        "its TPU slice.",
    )


class ResumeBody(Body):
    """New total duration of a finished run, at most one of the two, and what the learning rate does then."""

    train_steps: int | None = Field(None, ge=1, le=100_000_000)
    epochs: float | None = Field(None, gt=0, le=100_000)
    schedule: ScheduleChoice | None = Field(
        None,
        description="stretch: the schedule of the longer run (default); keep: the last learning rate to the end; "
        "restart: a new schedule over the new train steps.",
    )
    processes: int | None = Field(None, ge=1, le=MAX_PROCESSES, description="As of a start. Null: as many as before.")
    dry_run: bool = Field(False, description="Only answer what would happen to the learning rate.")

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.train_steps is not None and self.epochs is not None:
            raise ValueError("Name train_steps or epochs, not both.")
        return self


Tags = Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(max_length=100)]


class AnnotationsBody(Body):
    """What people say about a run; what is left out stays as it is."""

    add_tags: Tags = []
    remove_tags: Tags = []
    note: str | None = Field(None, max_length=20_000, description="Replaces the note; empty removes it.")
    archived: bool | None = Field(None, description="Whether lists of runs leave it out.")


class CloneBody(Body):
    hyperparameters: FlatValues = Field({}, description="Values to change, by flat name. Others stay as in the run.")


class MoveBody(Body):
    by: int = Field(ge=-10_000, le=10_000, description="Places to move by: -1 is one sooner, 1 is one later.")


class AnsweringBody(Body):
    """Models of a run that answer, and how they choose the next token."""

    targets: list[Target] = Field(list(TARGETS), min_length=1, max_length=2)
    checkpoint: str = Field("last", max_length=20, description="last, best, or a saved train step.")
    temperature: float = Field(
        0.0, ge=0, le=100, description="Sampling temperature. 0 always takes the likeliest token."
    )
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=2**31 - 1)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    max_new_tokens: int | None = Field(None, ge=1, le=2**31 - 1)

    def sampling(self) -> Sampling:
        """Raises InvalidEvaluation."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.seed)
