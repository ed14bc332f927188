"""Dataset versions: build, list, read, export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from starlette.responses import Response, StreamingResponse

from app.api.downloads import MEDIA_TYPE, JsonlDownload
from app.api.limits import JsonRoute
from app.api.models.bodies import DatasetBody
from app.api.models.datasets import (
    DatasetDiff,
    DatasetEntry,
    DatasetList,
    DatasetVersion,
    DatasetVersions,
    ExportCounts,
    GateFinding,
    GateFindings,
    GateOutcome,
    GateOutcomes,
)
from app.api.parts import Part
from app.api.shared import IdempotencyKey, Pipe
from tunixrt_core.datasets.eval_files.prompts import EvalFile
from tunixrt_core.datasets.versions import DatasetVersion as Frozen
from tunixrt_core.errors import NotFound, UnreadableFile
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import FileType
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import Split

router = Part(prefix="/datasets", tags=["Datasets"], route_class=JsonRoute)

Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9._-]{0,79}$")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Format = Annotated[str, Query(description=f"One of {', '.join(EXPORT_FORMATS)}.")]
PACKED = (FileType.JSONL_GZ, FileType.PARQUET)


def export_options(
    style: Annotated[str, Query(description=f"How steps are written: {', '.join(ReasoningStyle)}.")] = "tags",
    turns: Annotated[str, Query(description="Prompt and completion as auto, text or messages.")] = "auto",
    reasoning: Annotated[
        str, Query(description="Place of the reasoning in messages: in the content, or in a field.")
    ] = "content",
    chat: Annotated[str, Query(description="Chat format of grpo's prompts. Default: text or messages.")] = "",
) -> ExportOptions:
    return ExportOptions.of(style, turns, reasoning, chat)


Options = Annotated[ExportOptions, Depends(export_options)]
Side = Annotated[Split | None, Query(description="Only the rows of one side; all rows where left out.")]


@router.post("", status_code=201)
def build(body: DatasetBody, pipeline: Pipe, key: IdempotencyKey = None) -> DatasetVersion:
    """Freeze a selection as the next version of its name. If a version has the same content, it is returned."""
    built = pipeline.requests.once(
        key,
        "dataset",
        body.model_dump(mode="json"),
        lambda: pipeline.datasets.build(body.spec(), eval_file=eval_file(body, pipeline)),
        note=lambda version: {"name": version.name, "version": version.version, "left_out": version.left_out},
        find=lambda kept: replace(pipeline.datasets.get(kept["name"], kept["version"]), left_out=kept.get("left_out")),
    )
    return _answers([built], pipeline)[0]


@router.get("")
def listing(pipeline: Pipe) -> DatasetList:
    """Every dataset with its newest version."""
    found: dict[str, list[Frozen]] = {}
    for version in pipeline.datasets.versions():
        found.setdefault(version.name, []).append(version)
    entries = [
        DatasetEntry(name=latest.name, versions=len(found[latest.name]), latest=latest)
        for latest in _answers([versions[0] for versions in found.values()], pipeline)
    ]
    return DatasetList(datasets=entries)


@router.get("/{name}")
def versions(name: Name, pipeline: Pipe) -> DatasetVersions:
    """The versions of a dataset, newest first."""
    found = pipeline.datasets.versions(name)
    if not found:
        raise NotFound("dataset", name)
    return DatasetVersions(name=name, versions=_answers(found, pipeline))


@router.get("/{name}/{version}")
def one(name: Name, version: Number, pipeline: Pipe) -> DatasetVersion:
    """One version: its spec, counts and content hash."""
    return _answers([pipeline.datasets.get(name, version)], pipeline)[0]


@router.get(
    "/{name}/{version}/export.jsonl",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "One row per line."}},
)
def export(
    name: Name,
    version: Number,
    pipeline: Pipe,
    options: Options,
    format: Format = "tunix_sft",
    split: Side = None,
) -> JsonlDownload:
    """A version as JSONL, in any export format. Needs no Tunix; always the same bytes."""
    blocks = pipeline.exports.blocks(name, version, format, options=options, split=split)
    return JsonlDownload(blocks, pipeline.exports.name(name, version, format, split=split))


@router.get("/{name}/{version}/export.json")
def export_counts(
    name: Name,
    version: Number,
    pipeline: Pipe,
    options: Options,
    format: Format = "tunix_sft",
    split: Side = None,
) -> ExportCounts:
    """The rows of an export, and the traces that give none, with the reasons. Makes every row, and sends none."""
    found = pipeline.exports.counts(name, version, format, options=options, split=split)
    return ExportCounts.model_validate(found.to_dict())


@router.get(
    "/{name}/{version}/export.{file_type}",
    response_class=StreamingResponse,
    responses={200: {"content": {kind.media_type: {} for kind in PACKED}, "description": "The file."}},
)
def export_packed(
    name: Name,
    version: Number,
    file_type: Literal["jsonl.gz", "parquet"],
    pipeline: Pipe,
    options: Options,
    format: Format = "tunix_sft",
    split: Side = None,
) -> JsonlDownload:
    """The same as packed JSONL or as Parquet."""
    blocks = pipeline.exports.blocks(name, version, format, file_type=file_type, options=options, split=split)
    file_name = pipeline.exports.name(name, version, format, file_type=file_type, split=split)
    return JsonlDownload(blocks, file_name, FileType(file_type).media_type)


@router.get(
    "/{name}/{version}/card.md",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}}, "description": "Markdown."}},
)
def card(
    name: Name,
    version: Number,
    pipeline: Pipe,
    options: Options,
    format: Format = "tunix_sft",
    file_type: Annotated[Literal["jsonl", "jsonl.gz", "parquet"], Query(alias="as")] = "jsonl",
    split: Side = None,
    split_files: Annotated[bool, Query(description="Whether each side is a file of its own.")] = False,
) -> Response:
    """The dataset card to put beside such a download."""
    text = pipeline.exports.card(
        name, version, format=format, file_type=file_type, options=options, split=split, split_files=split_files
    )
    return Response(text, media_type="text/markdown")


@router.get("/{name}/{version}/gates")
def gates(name: Name, version: Number, pipeline: Pipe) -> GateOutcomes:
    """Results of each quality gate for a version."""
    found = pipeline.datasets.gates(name, version)
    return GateOutcomes(gates=[GateOutcome.model_validate(one.to_dict()) for one in found])


@router.get("/{name}/{version}/gates/{gate}")
def findings(
    name: Name,
    version: Number,
    gate: Annotated[str, Path(max_length=40)],
    pipeline: Pipe,
    reason: Annotated[str | None, Query(max_length=40)] = None,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> GateFindings:
    """Rows that a gate found, each with the reason: the matched text, or the other row and the differences."""
    found = pipeline.datasets.findings(name, version, gate, reason=reason, after=after, limit=limit)
    return GateFindings(
        findings=[GateFinding.model_validate(one.to_dict()) for one in found],
        next=found[-1].position if len(found) == limit else None,
    )


@router.get("/{name}/{version}/diff")
def diff(
    name: Name, version: Number, against: Annotated[int, Query(ge=1, le=2**31 - 1)], pipeline: Pipe
) -> DatasetDiff:
    """Changes from version `against` to this one."""
    found = pipeline.datasets.diff(name, against, version)
    return DatasetDiff.model_validate(found.to_dict())


def eval_file(body: DatasetBody, pipeline: Pipeline) -> EvalFile | None:
    """File named in the body, in the home's `datasets`; a link is refused, as in exports. Raises UnreadableFile."""
    if body.eval_file is None:
        return None
    path = pipeline.settings.exports_dir / body.eval_file
    if path.is_symlink() or not path.is_file():
        raise UnreadableFile(f"eval_file: there is no file {body.eval_file!r} in the folder `datasets` of the home.")
    return EvalFile.at(path)


def _answers(versions: Sequence[Frozen], pipeline: Pipeline) -> list[DatasetVersion]:
    missing = {(each.name, each.version): each.to_dict() for each in pipeline.datasets.missing()}
    return [
        DatasetVersion.model_validate(
            {**each.to_dict(), "left_out": each.left_out, "missing": missing.get((each.name, each.version))}
        )
        for each in versions
    ]
