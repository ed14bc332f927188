"""Many traces at once: a file of any format as the body; what it would give, and what is in it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from app.api.answers import Diagnosis, ImportReport, Preview
from app.api.limits import FILE_TYPES, JSON_TYPES, LINES_TYPES, FileRoute
from app.api.shared import Pipe
from tunixrt_core.ingest.mapping import ColumnMapping
from tunixrt_core.ingest.steps import Rule

router = APIRouter(prefix="/traces", tags=["Traces"], route_class=FileRoute)

_IN_MEMORY = 4 << 20
_NAME = "request body"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A JSON list, JSON Lines, CSV or Parquet, plain or gzip, in any format that can be imported.",
        "content": {
            **{kind: {"schema": {"type": "array", "items": {"type": "object"}}} for kind in sorted(JSON_TYPES)},
            **{kind: {"schema": {"type": "string"}} for kind in sorted(LINES_TYPES)},
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(FILE_TYPES)},
        },
    }
}

Format = Annotated[str, Query(max_length=100, description="Name of the format; auto looks at the content.")]
Source = Annotated[str | None, Query(max_length=200, description="Source of rows that name none.")]
Split = Annotated[Rule, Query(description="How reasoning is divided into steps.")]
Map = Annotated[list[str] | None, Query(alias="map", max_length=100, description="field=column; repeat it.")]


async def _spooled(request: Request) -> AsyncIterator[BinaryIO]:
    """The body as a file: in memory while it is small, on disk where it is not."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for block in request.stream():
            await run_in_threadpool(spool.write, block)
        spool.seek(0)
        yield cast(BinaryIO, spool)


Body = Annotated[BinaryIO, Depends(_spooled)]


@router.post("/batch", openapi_extra=_BODY)
async def add_batch(
    body: Body, pipeline: Pipe, format: Format = "auto", source: Source = None, split: Split = "auto", map_: Map = None
) -> ImportReport:
    """Import many traces in one transaction. Rejected rows are listed and do not stop the others."""
    words = {"name": _NAME, "format": format, "split": split, "mapping": _mapping(map_), "source_label": source}
    report = await run_in_threadpool(lambda: pipeline.ingest(body, **words))  # type: ignore[arg-type]
    return ImportReport.model_validate(report.to_dict())


@router.post("/preview", openapi_extra=_BODY)
async def preview(
    body: Body, pipeline: Pipe, format: Format = "auto", source: Source = None, split: Split = "auto", map_: Map = None
) -> Preview:
    """What an import of this body would make of its first rows. Nothing is stored."""
    words = {"name": _NAME, "format": format, "split": split, "mapping": _mapping(map_), "source_label": source}
    found = await run_in_threadpool(lambda: pipeline.preview(body, **words))  # type: ignore[arg-type]
    return Preview.model_validate(found.to_dict())


@router.post("/doctor", openapi_extra=_BODY)
async def doctor(
    body: Body, pipeline: Pipe, format: Format = "auto", split: Split = "auto", map_: Map = None
) -> Diagnosis:
    """What is in this body, read to its end: good, duplicate and bad rows, and why. Nothing is stored."""
    words = {"name": _NAME, "format": format, "split": split, "mapping": _mapping(map_)}
    found = await run_in_threadpool(lambda: pipeline.diagnose(body, **words))  # type: ignore[arg-type]
    return Diagnosis.model_validate(found.to_dict())


def _mapping(pairs: list[str] | None) -> dict[str, str] | None:
    mapping = ColumnMapping.parse(pairs or [])
    return mapping.fields if mapping else None
