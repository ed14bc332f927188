"""Imports of files in any format, their preview and diagnosis."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO, Annotated, Any, BinaryIO, cast

from fastapi import Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.api.downloads import JsonlDownload
from app.api.limits import FILE_TYPES, JSON_TYPES, LINES_TYPES, FileRoute, reads
from app.api.models.imports import Diagnosis, ImportReport, Preview
from app.api.parts import Part
from app.api.rejected import kept_rejects, rejected_of
from app.api.shared import IdempotencyKey, Pipe
from tunixrt_core.errors import Stopped
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.reasoning.steps import RuleName

router = Part(prefix="/traces", tags=["Traces"], route_class=FileRoute)

_IN_MEMORY = 4 << 20
_NAME = "request body"
MEDIA_TYPE = "application/octet-stream"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A JSON list or object, JSON Lines, CSV, Parquet, Arrow or Excel, packed or not, or a zip or "
        "tar file of these, in any format that can be imported.",
        "content": {
            **{kind: {"schema": {"type": "array", "items": {"type": "object"}}} for kind in sorted(JSON_TYPES)},
            **{kind: {"schema": {"type": "string"}} for kind in sorted(LINES_TYPES)},
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(FILE_TYPES)},
        },
    }
}

Format = Annotated[str, Query(max_length=100, description="Name of the format; auto detects it from the content.")]
Source = Annotated[str | None, Query(max_length=200, description="Source for rows that name none.")]
Split = Annotated[RuleName, Query(description="How reasoning is divided into steps.")]
ThinkTags = Annotated[
    list[str] | None,
    Query(min_length=2, max_length=2, description="Opening and closing mark of the reasoning, if not a known pair."),
]
Inside = Annotated[
    str | None, Query(alias="field", max_length=200, description="Key of a JSON document under which its rows are.")
]
Encoding = Annotated[
    str | None, Query(max_length=40, description="Encoding of text that is not UTF-8, such as gb18030.")
]
Map = Annotated[list[str] | None, Query(alias="map", max_length=100, description="field=column; repeat it.")]


@dataclass(frozen=True, slots=True)
class TraceFile:
    """The body as a file, with the options of the query."""

    content: BinaryIO
    words: Reading
    left: threading.Event  # set when the client has closed the connection

    def check_client(self, progress: object = None) -> None:
        """Raises Stopped once the client has left: what nobody waits for is not read on."""
        if self.left.is_set():
            raise Stopped("The client closed the connection. Nothing of the file was stored.")

    def sha256(self) -> str:
        found = hashlib.sha256()
        while block := self.content.read(1 << 20):
            found.update(block)
        self.content.seek(0)
        return found.hexdigest()


async def _trace_file(
    request: Request,
    format: Format = "auto",
    source: Source = None,
    split: Split = "auto",
    map_: Map = None,
    think_tags: ThinkTags = None,
    field: Inside = None,
    encoding: Encoding = None,
) -> AsyncIterator[TraceFile]:
    """The body in memory if small, else on disk."""
    mapping = ColumnMapping.parse(map_ or [])
    fields = mapping.fields if mapping else None
    words = Reading(name=_NAME, format=format, source_label=source, split=split, mapping=fields)
    words["think_tags"] = think_tags
    words |= {"field": field, "encoding": encoding}
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for block in request.stream():
            await run_in_threadpool(spool.write, block)
        spool.seek(0)
        left = threading.Event()
        waiting = asyncio.create_task(_until_client_leaves(request, left))
        try:
            yield TraceFile(cast(BinaryIO, _Attended(spool, left)), words, left)
        finally:
            waiting.cancel()


async def _until_client_leaves(request: Request, left: threading.Event) -> None:
    """Waits for what comes after the body: that the connection is closed."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    left.set()


class _Attended(io.RawIOBase):
    """A file that can be read as long as its sender is there; Stopped is raised afterwards."""

    def __init__(self, file: IO[bytes], left: threading.Event) -> None:
        self._file = file
        self._left = left

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._left.is_set():
            raise Stopped("The client closed the connection.")
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


File = Annotated[TraceFile, Depends(_trace_file)]


@router.post("/batch", openapi_extra=_BODY)
def add_batch(file: File, pipeline: Pipe, key: IdempotencyKey = None) -> ImportReport:
    """Import many traces in one transaction. Rejected rows are listed and do not stop the others."""

    def read() -> ImportReport:
        with kept_rejects(pipeline) as kept:
            report = pipeline.traces.ingest(
                file.content, rejects=kept.rejects, on_progress=file.check_client, **file.words
            )
        return ImportReport.model_validate({**report.to_dict(), "rejects": kept.address})

    return pipeline.requests.once(
        key,
        "import",
        {"sha256": file.sha256() if key else "", "words": dict(file.words)},
        read,
        note=lambda report: report.model_dump(mode="json"),
        find=ImportReport.model_validate,
    )


@router.post("/preview", openapi_extra=_BODY)
@reads
def preview(file: File, pipeline: Pipe) -> Preview:
    """Preview of an import: the first rows as traces. Nothing is stored."""
    return Preview.model_validate(pipeline.traces.preview(file.content, **file.words).to_dict())


@router.post("/doctor", openapi_extra=_BODY)
@reads
def doctor(file: File, pipeline: Pipe) -> Diagnosis:
    """Check of a whole file: good, duplicate and bad rows, with reasons. Nothing is stored."""
    with kept_rejects(pipeline) as kept:
        found = pipeline.traces.diagnose(
            file.content, rejects=kept.rejects, on_progress=file.check_client, **file.words
        )
    return Diagnosis.model_validate({**found.to_dict(), "rejects": kept.address})


@router.get(
    "/rejects/{id}",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The rejected rows, byte for byte."}},
)
def rejects(id: Annotated[str, Path(max_length=64)], pipeline: Pipe) -> JsonlDownload:
    """Rows that a batch or a check rejected, to fix and send again. Kept for the latest files only."""
    found = rejected_of(pipeline).get(id)
    return JsonlDownload(found.blocks(), f"rejects{found.suffix}", MEDIA_TYPE)
