"""JSONL as a download: streamed in blocks, so that neither side holds the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

BLOCK_BYTES = 64 << 10
MEDIA_TYPE = "application/x-ndjson"


def jsonl_download(lines: Iterator[bytes], name: str) -> StreamingResponse:
    """A response that saves as `name`.

    The first block is read now, so that an error in what was asked for is still answered as an error. Call it
    in the threadpool.
    """
    blocks = _blocks(lines)
    first = next(blocks, b"")
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_streamed(first, blocks), media_type=MEDIA_TYPE, headers=headers)


async def _streamed(first: bytes, blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    block = first
    while block:
        yield block
        block = await run_in_threadpool(next, blocks, b"")


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
