"""Files and streams: every row accounted for, line numbers of the file, and sentences for what is no trace file."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import MAX_ERRORS_KEPT, ImportReport, RowError, Tally
from tunixrt_core.ingest.trace_reader import TraceReader
from tunixrt_core.traces.trace import Trace

GSM8K = Path(__file__).parents[2] / "../shared/data/gsm8k_train.jsonl"


def row(n: int, **change: object) -> bytes:
    return orjson.dumps({"prompt": f"p{n}", "steps": ["s"], "final_answer": str(n)} | change)


def read(data: bytes, **options: object) -> list[Trace | RowError]:
    return list(read_traces(io.BytesIO(data), name="f", **options))  # type: ignore[arg-type]


def errors(rows: list[Trace | RowError]) -> list[tuple[int, str]]:
    return [(r.line, r.field) for r in rows if isinstance(r, RowError)]


def test_blank_lines_are_not_rows_and_line_numbers_are_the_files() -> None:
    rows = read(b"\n" + row(1) + b"\n \t\n" + b"{broken\n" + row(2))
    assert [type(r) for r in rows] == [Trace, RowError, Trace]
    assert errors(rows) == [(4, "")]
    assert str(rows[1]).startswith("f:4: not valid JSON")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_bom_and_a_missing_last_newline_change_nothing(end: bytes, last: bool, bom: bytes) -> None:
    data = bom + end.join([row(1), row(2)]) + (end if last else b"")
    rows = read(data)
    assert [r.prompt for r in rows if isinstance(r, Trace)] == ["p1", "p2"]
    assert len(rows) == 2


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\ufeff", "\r\n", "é", "e\u0301", "𝟙"])
@pytest.mark.parametrize("ascii", [True, False])
def test_no_character_is_altered_or_ends_a_line(char: str, ascii: bool) -> None:
    text = f"{char}a{char}b{char}"
    data = json.dumps({"prompt": text, "steps": [text], "final_answer": text}, ensure_ascii=ascii).encode()
    (trace,) = read(data + b"\n")
    assert isinstance(trace, Trace)
    assert trace.prompt == trace.steps[0].content == trace.final_answer == text


def test_a_rejected_row_names_line_and_field_and_the_others_go_on() -> None:
    lines = [
        row(1),
        row(2, steps=["s", ""]),
        b'{"prompt": "x", "steps": [], "final_answer": NaN}',
        b'{"prompt": "x\\u0000", "steps": [], "final_answer": "1"}',
        b'{"prompt": "\xff", "steps": [], "final_answer": "1"}',
        b'{"prompt": "\\ud800", "steps": [], "final_answer": "1"}',
        b'{"prompt": "x", "prompt": "y", "steps": [], "final_answer": "1"}',
        row(8, meta={"n": 2**64 - 1}),
        b'{"prompt": "x", "steps": [], "final_answer": "1", "meta": {"n": 99999999999999999999}}',
    ]
    assert errors(read(b"\n".join(lines))) == [
        (2, "steps[1].content"),
        (3, "final_answer"),
        (4, "prompt"),
        (5, "prompt"),
        (6, "prompt"),
        (7, "prompt"),
        (9, "meta.n"),
    ]


def test_a_50_mb_line_is_one_error_in_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        """50 MiB without a newline between two good rows, made as it is read."""

        def __init__(self) -> None:
            self.parts = [row(1) + b"\n", *[b"x" * (1 << 20)] * 50, b"\n" + row(2) + b"\n"]
            self.largest = 0

        def read(self, size: int = -1) -> bytes:
            self.largest = max(self.largest, size)
            part = self.parts.pop(0) if self.parts else b""
            if len(part) > size:
                self.parts.insert(0, part[size:])
            return part[:size]

    stream = Endless()
    rows = list(read_traces(stream, name="f", max_line_bytes=1 << 20))  # type: ignore[arg-type]
    assert [type(r) for r in rows] == [Trace, RowError, Trace]
    assert isinstance(rows[1], RowError)
    assert rows[1].reason == "line is 52,428,800 bytes long; at most 1,048,576 are read. Split the row"
    assert stream.largest <= 1 << 20


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_the_limit_is_exact(size: int) -> None:
    limit = len(row(1)) + 1 - size
    for end in (b"", b"\n", b"\r\n"):
        (found,) = read(row(1) + end, max_line_bytes=limit, format="trace")
        assert isinstance(found, Trace) is (size < 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"f is empty\."),
        (b"\xef\xbb\xbf \n\n", r"f is empty\."),
        (b"\x89PNG\r\n\x1a\n\0\0", "f is a binary file"),
        (b"caf\xe9 au lait", "f holds bytes that are not UTF-8, and its encoding is not known"),
        ('{"a": 1}'.encode("utf-16"), "f: The format is not known. Keys seen: a"),
        (b"some words\nand more\n", "f: no row could be read as a JSON object. Line 1: not valid JSON"),
        (b"name,age\nx,1\n", r"f: The format is not known. Keys seen: age, name\."),
        (b'{"width": 1}\n', "f: The format is not known. Keys seen: width."),
        (b"x" * 9_000_000, "f: no row could be read as a JSON object. Line 1: line is 9,000,000 bytes long"),
        (gzip.compress(row(1) * 50, mtime=0)[:-12], "f is a gzip file that is damaged or breaks off"),
        (b"\x1f\x8bnot gzip at all", "f is a gzip file that is damaged or breaks off"),
    ],
)
def test_a_file_that_holds_no_traces_is_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_a_missing_file_a_directory_and_an_unknown_format_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="f does not exist"):
        read_traces(tmp_path / "none.jsonl", name="f")
    with pytest.raises(UnreadableFile, match="holds no file that can be read"):
        read_traces(tmp_path, name="f")
    with pytest.raises(UnreadableFile, match="f cannot be read: File name too long"):
        read_traces(tmp_path / ("n" * 300), name="f")
    with pytest.raises(UnreadableFile, match="There is no format 'csv'"):
        read(row(1), format="csv")


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + b"\n".join(row(n) for n in range(3000))))
    reader = read_traces(path, name="f")
    assert reader.format == "trace"
    assert sum(isinstance(r, Trace) for r in reader) == 3000


def test_a_gzip_file_that_breaks_off_late_raises_while_it_is_read() -> None:
    noise = b"\n".join(
        orjson.dumps({"prompt": str(hash((n, "x"))), "steps": [], "final_answer": "1"}) for n in range(9000)
    )
    reader = read_traces(io.BytesIO(gzip.compress(noise)[:-4000]), name="f")
    with pytest.raises(UnreadableFile, match="breaks off"):
        list(reader)


def test_an_array_is_read_with_the_lines_of_its_rows() -> None:
    data = b"\xef\xbb\xbf[\n  " + row(1) + b",\n\n  " + row(2, final_answer="") + b',\n "x",\n' + row(4) + b"\n]\n"
    rows = read(data)
    assert [type(r) for r in rows] == [Trace, RowError, RowError, Trace]
    assert errors(rows) == [(4, "final_answer"), (5, "")]


def test_one_object_over_several_lines_is_one_row() -> None:
    (trace,) = read(orjson.dumps(orjson.loads(row(1)), option=orjson.OPT_INDENT_2))
    assert isinstance(trace, Trace)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" + row(1) + b"," + row(2), "the end of the array is missing at line 1"),
        (b"[" + row(1) + b",]", "a comma before the end of the array"),
        (b"[" + row(1) + b"] x", "the array does not end the file"),
        (b'[{"prompt": tru}]', "Expecting value at line 1, column 13"),
        (b"[]", "f: it is empty"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_a_broken_array_is_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(data)


def test_an_array_over_the_limit_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"more than 100 bytes\. Write it as JSONL"):
        read(b"[" + b",".join([row(1)] * 9) + b"]", max_document_bytes=100)


def test_the_format_is_found_behind_rows_that_cannot_be_read() -> None:
    rows = read(b"{broken\n" * 3 + row(1), source_label="mine")
    assert [type(r) for r in rows] == [RowError] * 3 + [Trace]
    assert isinstance(rows[-1], Trace)
    assert rows[-1].source == "mine"


@given(st.lists(st.binary(max_size=40) | st.sampled_from([row(1), row(2), b"", b"\r", b"{}", b"\xef\xbb\xbf", b"[1]"])))
def test_no_bytes_crash_the_reader_and_every_line_is_accounted_for(lines: list[bytes]) -> None:
    data = row(0) + b"\n" + b"\n".join(lines)
    rows = read(data)
    filled = [line for line in data.split(b"\n") if line.removesuffix(b"\r").strip()]
    assert len(rows) == len(filled)


def test_a_tally_keeps_a_thousand_errors_and_counts_them_all() -> None:
    tally = Tally("f", "trace")
    many = [RowError("f", n, "", "bad") for n in range(MAX_ERRORS_KEPT + 5)]
    traces = [r for r in read(row(1) + b"\n" + row(2)) if isinstance(r, Trace)]
    assert list(tally.traces([*many, *traces])) == traces
    report = tally.report(inserted=1, duplicate=1, seconds=0.5)
    assert (report.read, report.rejected, len(report.errors)) == (1007, 1005, 1000)
    assert report.balanced
    assert report.to_dict()["errors"][0] == {"file": "f", "line": 0, "field": "", "reason": "bad", "unit": "line"}
    assert not ImportReport("f", "trace", 3, 1, 1, 0, (), 0.0).balanced


@pytest.mark.skipif(not GSM8K.exists(), reason="the GSM8K file is not here")
def test_gsm8k_is_read_whole() -> None:
    reader = read_traces(GSM8K, name="gsm8k")
    rows = list(reader)
    traces = [r for r in rows if isinstance(r, Trace)]
    assert (reader.format, len(rows), len(traces)) == ("gsm8k", 7473, 7473)
    assert not any("<<" in step.content or not step.content.strip() for t in traces for step in t.steps)
    assert len({t.content_hash for t in traces}) == 7473
    assert isinstance(reader, TraceReader)
