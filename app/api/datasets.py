"""Dataset versions: build, list, read, export."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import StreamingResponse

from app.api.answers import DatasetEntry, DatasetList, DatasetVersion, DatasetVersions
from app.api.bodies import DatasetBody
from app.api.downloads import MEDIA_TYPE, JsonlDownload
from app.api.limits import JsonRoute
from app.api.shared import Pipe
from tunixrt_core.datasets import DatasetSpec
from tunixrt_core.datasets import DatasetVersion as Frozen
from tunixrt_core.errors import NotFound

router = APIRouter(prefix="/datasets", tags=["Datasets"], route_class=JsonRoute)

Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9._-]{0,79}$")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", status_code=201)
def build(body: DatasetBody, pipeline: Pipe) -> DatasetVersion:
    """Freeze a selection as the next version of its name; the same content again gives the version that has it."""
    return _answer(pipeline.build_dataset(DatasetSpec.from_dict(body.model_dump())))


@router.get("")
def listing(pipeline: Pipe) -> DatasetList:
    """Every dataset with its newest version."""
    found: dict[str, list[Frozen]] = {}
    for version in pipeline.dataset_versions():
        found.setdefault(version.name, []).append(version)
    entries = [
        DatasetEntry(name=name, versions=len(versions), latest=_answer(versions[0])) for name, versions in found.items()
    ]
    return DatasetList(datasets=entries)


@router.get("/{name}")
def versions(name: Name, pipeline: Pipe) -> DatasetVersions:
    """The versions of a dataset, newest first."""
    found = pipeline.dataset_versions(name)
    if not found:
        raise NotFound("dataset", name)
    return DatasetVersions(name=name, versions=[_answer(version) for version in found])


@router.get("/{name}/{version}")
def one(name: Name, version: Number, pipeline: Pipe) -> DatasetVersion:
    """One version: its spec, counts and content hash."""
    return _answer(pipeline.dataset(name, version))


@router.get(
    "/{name}/{version}/export.jsonl",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "One row a line."}},
)
def export(name: Name, version: Number, pipeline: Pipe, format: str = "tunix_sft") -> JsonlDownload:
    """A version as JSONL: `tunix_sft`, `trace` or `prompt_completion`. Needs no Tunix; always the same bytes."""
    lines = pipeline.export_lines(name, version, format)
    suffix = "" if format == "tunix_sft" else f".{format}"
    return JsonlDownload(lines, f"{name}-v{version}{suffix}.jsonl")


def _answer(version: Frozen) -> DatasetVersion:
    return DatasetVersion.model_validate(version.to_dict())
