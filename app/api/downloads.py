"""Downloads streamed in blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Send

BLOCK_BYTES = 64 << 10
MEDIA_TYPE = "application/x-ndjson"


class JsonlDownload(StreamingResponse):
    """Streamed download of lines or other pieces of a file, saved as `name`.

    The constructor reads the first block, so that an invalid request still gets an error response. Call it in the
    threadpool.
    """

    def __init__(self, lines: Iterator[bytes], name: str, media_type: str = MEDIA_TYPE) -> None:
        self._blocks = _blocks(lines)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        super().__init__(self._streamed(next(self._blocks, b"")), media_type=media_type, headers=headers)

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            # a client that disconnects early must not hold a database connection
            self._blocks.close()

    async def _streamed(self, first: bytes) -> AsyncIterator[bytes]:
        block = first
        while block:
            yield block
            block = await run_in_threadpool(next, self._blocks, b"")


def _blocks(lines: Iterator[bytes]) -> Generator[bytes, None, None]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
