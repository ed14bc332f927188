"""However a file is cut into blocks and its rows are taken, they are the lines of the file with their numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.ingest.files import lines
from tunixrt_core.ingest.files.containers.json_lines import JsonLines
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.rows import RawRow

LIMIT = 6
# begins like JSON, so that it is taken for text; a line may have several \r, of which the last is none of it
FILES = st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b" ", b"a", b"bcd", b"efghij"]), max_size=20).map(
    lambda parts: b"{" + b"".join(parts)
)


def plainly(data: bytes) -> tuple[list[tuple[int, bytes | None]], bytes]:
    """What the lines of a file are, all at once, and what is spilled of those over the limit."""
    found: list[tuple[int, bytes | None]] = []
    spilled = b""
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.removesuffix(b"\r")
        if len(text) > LIMIT:
            spilled += line + b"\n"
            found.append((number, None))
        elif text.strip():
            found.append((number, text))
    return found, spilled


def taken(rows: JsonLines, alone: int) -> Iterator[tuple[int, bytes | None]]:
    """The first rows one at a time, the others a block at a time."""
    for _, row in zip(range(alone), rows, strict=False):
        yield row.line, row.data
    for block in rows.blocks():
        if isinstance(block, RawRow):
            yield block.line, block.data
        else:
            yield from ((number, data) for number, data in block if data.strip())


@given(FILES, st.integers(1, 9), st.integers(0, 5))
def test_rows_are_the_lines_of_the_file(data: bytes, read: int, alone: int) -> None:
    spilled = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_READ", read)
        rows = JsonLines(Source(io.BytesIO(data), "f"), LIMIT, spilled.write)
        found = list(taken(rows, alone))
    assert (found, spilled.getvalue()) == plainly(data)


def test_a_line_over_the_limit_says_how_long_it_is() -> None:
    rows = JsonLines(Source(io.BytesIO(b'{"a": 1}\n{}\n'), "f"), LIMIT)
    first, second = rows
    assert first.value is not None
    assert "line is 8 bytes long; at most 6 are read" in str(first.value)
    assert (second.line, second.data) == (2, b"{}")
