"""Packed files that are built to be long: refused by their bytes and lines, before anybody waits."""

from __future__ import annotations

import gzip
import io
import time
import zipfile

import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.reader import read_traces

ROW = b'{"question": "2 + 2?", "answer": "two and two\\n#### 4"}\n'
MB = 1 << 20


def gz(unit: bytes, megabytes: int) -> bytes:
    """A gzip of as many megabytes of one unit."""
    return gzip.compress(unit * (MB // len(unit))) * megabytes  # members one after another are one file


def read(content: bytes) -> int:
    return sum(1 for _ in read_traces(io.BytesIO(content), name="rows.jsonl.gz"))


@pytest.mark.parametrize("begins", [b"", ROW], ids=["only", "after a row"])
@pytest.mark.parametrize("unit", [b"x\n", b"{}\n", b"\n\n\nx\n"], ids=["letters", "objects", "sparse"])
def test_a_packed_file_of_short_lines_is_refused_within_seconds(unit: bytes, begins: bytes) -> None:
    content = gzip.compress(begins) + gz(unit, 100)
    began = time.process_time()
    # without a row in front of them they are refused before they are counted
    why = "more short lines than it has packed bytes" if begins else "no row could be read|format is not known"
    with pytest.raises(UnreadableFile, match=why):
        read(content)
    assert time.process_time() - began < 20


def test_a_member_of_a_zip_is_bounded_as_a_file_is() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", ROW + b"x\n" * (4 * MB))
    file.seek(0)
    with pytest.raises(UnreadableFile, match="more short lines than it has packed bytes"):
        read(file.getvalue())


def test_rows_that_pack_well_are_read() -> None:
    rows = b"".join(ROW.replace(b"2 + 2", b"%d + %d" % (n, n)) for n in range(120_000))
    source = Source(io.BytesIO(gzip.compress(rows, 1)), "rows.jsonl.gz")
    assert sum(len(block.lines) for block in source.blocks(MB)) == 120_000
