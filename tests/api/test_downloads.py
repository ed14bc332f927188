"""A download is streamed in blocks, and lets go of what it reads from when its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.api.downloads import BLOCK_BYTES, JsonlDownload

SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "path": "/"}


class Lines:
    """A million lines; knows how many were taken and whether it was closed."""

    def __init__(self, line: bytes) -> None:
        self.taken = 0
        self.closed = False
        self._line = line

    def __iter__(self) -> Iterator[bytes]:
        try:
            for _ in range(1_000_000):
                self.taken += 1
                yield self._line
        finally:
            self.closed = True


async def receive() -> Message:
    await asyncio.sleep(60)
    return {"type": "http.disconnect"}


def test_a_client_that_leaves_ends_the_reading() -> None:
    lines = Lines(b"x" * 1000 + b"\n")
    sent: list[int] = []

    async def send(message: Message) -> None:
        sent.append(len(message.get("body", b"")))
        if len(sent) == 3:
            raise OSError("the client is gone")

    download = JsonlDownload(iter(lines), "x.jsonl")
    with pytest.raises(ClientDisconnect):
        asyncio.run(download(SCOPE, receive, send))
    assert lines.closed
    assert lines.taken < 300


def test_no_more_is_read_ahead_than_a_block() -> None:
    lines = Lines(b"x" * 1000 + b"\n")
    JsonlDownload(iter(lines), "x.jsonl")
    assert lines.taken <= BLOCK_BYTES / 1001 + 1


def test_an_error_in_what_was_asked_for_comes_before_the_answer_begins() -> None:
    def broken() -> Iterator[bytes]:
        raise LookupError("not there")
        yield b""

    with pytest.raises(LookupError):
        JsonlDownload(broken(), "x.jsonl")


def test_nothing_is_an_empty_file() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(JsonlDownload(iter(()), "x.jsonl")(SCOPE, receive, send))
    assert b"".join(message.get("body", b"") for message in sent) == b""
    assert dict(sent[0]["headers"])[b"content-disposition"] == b'attachment; filename="x.jsonl"'
