"""CSV and Parquet, rejected rows, columns named by hand, preview and diagnosis."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.errors import OutputError, UnreadableFile
from tunixrt_core.ingest.files.opening import size_of
from tunixrt_core.ingest.files.rejects import Rejects, rejects_file
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.preview import diagnose, preview_of
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.trace import Trace

HAND = ColumnMapping({"q": "prompt", "a": "final_answer"})


def read(data: bytes, name: str = "f", **options: Any) -> list[Any]:
    return list(read_traces(io.BytesIO(data), name=name, **options))


def errors(items: list[Any]) -> list[str]:
    return [str(item) for item in items if isinstance(item, RowError)]


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table(table), sink, **options)
    return sink.getvalue()


# --- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_cells_stay_the_text_they_are(delimiter: str, end: str) -> None:
    cells = ["007", "1e5", "2024-01-02", "TRUE", "NaN", "a,b;c\td", 'say ""x""', "one\r\ntwo\nthree", "\u2028", " x "]
    columns = [f"c{i}" for i in range(len(cells))]
    lines = [["q", "a", "empty", *columns], ["q", "42", "", *cells]]
    sink = io.StringIO()
    csv.writer(sink, delimiter=delimiter, lineterminator=end).writerows(lines)
    (trace,) = read(b"\xef\xbb\xbf" + sink.getvalue().encode(), mapping=HAND)
    assert {key: trace.meta[key] for key in columns} == dict(zip(columns, cells, strict=True))
    assert "empty" not in trace.meta


def test_csv_rows_have_the_lines_where_they_begin() -> None:
    data = b'q,a\nx,1\n\n"two\nlines",2\nshort\n"open,3\nx,4\nx,"5" y\n\xff,6\nx,7,8\n'
    items = read(data, mapping=HAND)
    unclosed = (
        "opens a quote that is not closed before the next row, or holds one inside an unquoted cell. Put the cell in "
        "quotes, and double each quote inside of it"
    )
    assert [item.final_answer for item in items if isinstance(item, Trace)] == ["1", "2", "4"]
    assert errors(items) == [
        "f:6: has 1 cells; the header has 2. Put a cell that holds `,` in quotes",
        f"f:7: {unclosed}",
        f"f:9: {unclosed}",
        "f:10: q: holds bytes that are not UTF-8. Save the file as UTF-8, or name its encoding: --encoding NAME",
        "f:11: has 3 cells; the header has 2. Put a cell that holds `,` in quotes",
    ]


@given(
    st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))] * 3), min_size=1)
)
@settings(max_examples=examples(200), deadline=None)
def test_what_a_csv_writer_wrote_is_read_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    sink = io.StringIO()
    csv.writer(sink).writerows([("q", "a", "x"), *((f"q{a}", f"1{b}", c) for a, b, c in rows)])
    items = read(sink.getvalue().encode(), name="x.csv", mapping=HAND)
    wanted = [(f"q{a}", f"1{b}".strip(), c) for a, b, c in rows]
    assert [(i.prompt, i.final_answer, i.meta.get("x", "")) for i in items] == wanted


def test_a_csv_header_that_cannot_be_used_is_a_sentence() -> None:
    with pytest.raises(UnreadableFile, match="names the column 'q' twice"):
        read(b"q,q\n1,2\n")
    with pytest.raises(UnreadableFile, match="Keys seen: a, column_2, q"):
        read(b"q,,a\n1,2,3\n")
    with pytest.raises(UnreadableFile, match="it is empty"):
        read(b"question,answer\n")


def test_a_table_of_one_column_is_known_by_its_name_and_json_by_its_content_whatever_its_name() -> None:
    with pytest.raises(UnreadableFile, match="Keys seen: question"):
        read(b"question\nx\n", name="x.CSV")
    (trace,) = read(b'{"prompt": "p", "steps": [], "final_answer": "1"}\n', name="x.csv")
    assert trace.prompt == "p"
    (packed,) = read(gzip.compress(b"question,answer\nx,1\n"), name="x.csv.gz")
    assert packed.prompt == "x"


# --- Parquet


def test_parquet_rows_become_traces_and_types_that_json_lacks_become_text() -> None:
    table = {
        "question": ["q"],
        "answer": [b"42"],
        "day": [datetime.date(2024, 1, 2)],
        "time": [datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)],
        "price": [decimal.Decimal("1.50")],
        "tags": [["a", None]],
        "inner": [{"n": 1, "s": None}],
        "none": [None],
        "big": [2**62],
    }
    (trace,) = read(parquet(table))
    assert (trace.prompt, trace.final_answer) == ("q", "42")
    assert {key: value for key, value in trace.meta.items() if key != "splitting"} == {
        "day": "2024-01-02",
        "time": "2024-01-02T03:04:05.000006+00:00",
        "price": "1.50",
        "tags": ["a", None],
        "inner": {"n": 1, "s": None},
        "none": None,
        "big": 2**62,
    }


def test_parquet_nanoseconds_are_kept() -> None:
    pa = pytest.importorskip("pyarrow")
    when = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    (trace,) = read(parquet({"question": ["q"], "answer": ["1"], "when": when}))
    assert trace.meta["when"] == "2023-11-14 22:13:20.123456789"


def test_a_parquet_row_that_has_no_json_form_is_named_and_the_others_go_on() -> None:
    table = {
        "question": ["q"] * 3,
        "answer": ["1", "2", "3"],
        "raw": [b"ok", b"\xff", None],
        "n": [1.0, 2.0, float("nan")],
    }
    items = read(parquet(table))
    assert errors(items) == [
        "f:row 2: raw: holds bytes that are not UTF-8 text. Write the column as text",
    ]


def test_parquet_is_read_from_a_path_a_stream_a_pipe_and_gzip(tmp_path: Path) -> None:
    data = parquet({"question": [f"q{n}" for n in range(3000)], "answer": ["1"] * 3000}, row_group_size=500)
    path = tmp_path / "x.bin"
    path.write_bytes(data)

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.rest = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self.rest.read(size)

    sources: list[Any] = [path, io.BytesIO(data), Pipe(), io.BytesIO(gzip.compress(data))]
    for source in sources:
        reader = read_traces(source, name="f")
        assert (reader.container, sum(isinstance(item, Trace) for item in reader)) == ("parquet", 3000)


def test_a_damaged_parquet_file_is_a_sentence() -> None:
    data = parquet({"question": ["q"], "answer": ["1"]})
    for broken in (data[: len(data) // 2], b"PAR1" + b"x" * 100, data[:-4] + b"xxxx"):
        with pytest.raises(UnreadableFile, match=r"f is a Parquet file that is damaged or cannot be read"):
            read(broken)


# --- rejected rows


GOOD = b'{"question": "q", "answer": "1"}'


@pytest.mark.parametrize(
    ("data", "rejected"),
    [
        (GOOD + b'\r\n{broken\xff \r\n{"question": 1}\n' + GOOD, b'{broken\xff \n{"question": 1}\n'),
        (b"[" + GOOD + b',\n {"question":\n 1},3]', b'[\n{"question":\n 1},\n3\n]\n'),
        (b'question;answer\nq;1\nq\n"x\ny";\n', b'question;answer\nq\n"x\ny";\n'),
        (GOOD + b"\n" + b"x" * 300 + b"\nshort\n", b"x" * 300 + b"\nshort\n"),
        (GOOD, b""),
    ],
)
def test_rejected_rows_are_written_byte_for_byte_and_can_be_fed_again(data: bytes, rejected: bytes) -> None:
    sink = io.BytesIO()
    rejects = Rejects(sink)
    first = errors(read(data, format="question_answer", rejects=rejects, max_line_bytes=200))
    rejects.end()
    assert sink.getvalue() == rejected
    if rejected:
        assert len(errors(read(rejected, format="question_answer", max_line_bytes=200))) == len(first) == rejects.rows


def test_rejected_rows_of_parquet_are_lines_of_json() -> None:
    sink = io.BytesIO()
    rejects = Rejects(sink)
    read(parquet({"question": ["", "q"], "answer": ["1", "2"], "raw": [b"a", b"\xff"]}), rejects=rejects)
    rejects.end()
    assert [orjson.loads(line) for line in sink.getvalue().splitlines()] == [
        {"question": "", "answer": "1", "raw": "a"},
        {"question": "q", "answer": "2", "raw": "b'\\xff'"},
    ]


def test_a_row_that_gives_a_trace_and_an_error_is_rejected_once() -> None:
    row = b'{"problem": "p", "generations": ["1", "<think>x", "<think>y"]}'
    sink = io.BytesIO()
    items = read(row, rejects=Rejects(sink))
    assert (len(items), len(errors(items))) == (3, 2)
    assert sink.getvalue() == row + b"\n"


def test_a_rejects_file_is_there_only_when_rows_were_rejected_and_all_was_read(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with rejects_file(path) as rejects:
        read(GOOD, rejects=rejects)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreadableFile), rejects_file(path) as rejects:
        read(gzip.compress(b"{\n" * 100_000)[:-20], format="question_answer", rejects=rejects)
    assert list(tmp_path.iterdir()) == []
    with rejects_file(path) as rejects:
        read(GOOD + b"\n{", rejects=rejects)
    assert path.read_bytes() == b"{\n"
    with pytest.raises(OutputError, match="cannot be written"), rejects_file(path / "x"):
        pass


# --- columns named by hand


def test_columns_named_by_hand_go_where_they_are_sent() -> None:
    mapping = ColumnMapping.parse(["prompt=x", "final_answer=y", "steps=z", "reference_answer=r", "ignore=i", "meta=m"])
    row = {"x": "p", "y": "42", "z": "one\ntwo", "r": "43", "i": 1, "m": 2, "other": 3}
    (trace,) = read(orjson.dumps(row), mapping=mapping, source_label="mine")
    assert (trace.prompt, [s.content for s in trace.steps], trace.final_answer) == ("p", ["one", "two"], "42")
    assert (trace.reference_answer, trace.source, trace.meta["m"], trace.meta["other"]) == ("43", "mine", 2, 3)
    assert "i" not in trace.meta
    (listed,) = read(orjson.dumps(row | {"z": ["a", "b"]}), mapping=mapping)
    assert [s.content for s in listed.steps] == ["a", "b"]
    assert errors(read(orjson.dumps({"x": "p", "y": "42", "r": [1]}), mapping=mapping)) == [
        "f:1: r: must be text, not a list. Write it as one text"
    ]
    two = orjson.dumps(row) + b'\n{"x": "p"}'
    assert errors(read(two, mapping=mapping)) == ["f:2: y: is missing. Add it; the row has the keys x"]


def test_columns_inside_of_others_can_be_named_by_hand() -> None:
    mapping = ColumnMapping.parse(
        ["prompt=messages[0].content", "final_answer=messages.1.content", "steps=extra.way", "ignore=extra.secret"]
    )
    row = {
        "messages": [{"role": "user", "content": "p"}, {"content": "42"}],
        "extra": {"way": ["a", "b"], "secret": 1, "kept": 2},
        "n": 3,
    }
    (trace,) = read(orjson.dumps(row), mapping=mapping)
    assert (trace.prompt, [s.content for s in trace.steps], trace.final_answer) == ("p", ["a", "b"], "42")
    assert trace.meta == {"messages": [{"role": "user"}, None], "extra": {"kept": 2}, "n": 3}
    short = orjson.dumps(row) + b"\n" + orjson.dumps({"messages": [{"content": "p"}]})
    assert errors(read(short, mapping=mapping)) == [
        "f:2: messages.1.content: is missing; the row has 'messages[0].content'. Rename it to 'messages.1.content'"
    ]


def test_a_column_whose_name_holds_a_dot_comes_before_one_inside_of_another() -> None:
    mapping = ColumnMapping.parse(["prompt=a.b", "final_answer=c"])
    (trace,) = read(orjson.dumps({"a.b": "the column", "a": {"b": "inside"}, "c": "1"}), mapping=mapping)
    assert trace.prompt == "the column"
    assert trace.meta["a"] == {"b": "inside"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["prompt"], "'prompt' is not a mapping"),
        (["prompt=a"], "No column is mapped to final_answer"),
        (["prompt=a", "prompt=b", "final_answer=c"], "Two columns are mapped to prompt"),
        (["prompt=a", "final_answer=a"], "The column 'a' is mapped twice"),
        (["prompt=a", "final_answer=b", "colour=c"], "There is no field 'colour'"),
    ],
)
def test_a_mapping_that_cannot_be_is_a_sentence(pairs: list[str], message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        ColumnMapping.parse(pairs)
    assert ColumnMapping.parse([]) is None


# --- preview and diagnosis


def test_a_preview_shows_the_first_rows_and_the_first_bad_one() -> None:
    rows = [orjson.dumps({"question": f"q{n}", "answer": "1", "n": n}) for n in range(300)]
    rows[9] = b"{broken"
    preview = preview_of(read_traces(io.BytesIO(b"\n".join(rows)), name="f"))
    assert (preview.format, preview.sure, preview.good, preview.bad, preview.whole) == (
        "question_answer",
        "medium",
        199,
        1,
        False,
    )
    assert [row.line for row in preview.rows] == [1, 2, 3, 4, 5, 10]
    assert [(column.name, column.field, column.samples) for column in preview.columns] == [
        ("question", "prompt", ("q0", "q1")),
        ("answer", "steps, final_answer", ("1",)),
        ("n", "meta", ("0", "1")),
    ]


def test_a_preview_offers_the_columns_inside_of_others() -> None:
    row = {
        "q": "p",
        "qa": {"a": "1", "deep": {"x": {"y": {"z": 1}}}},
        "m": [{"role": "user"}] * 6,
        "l": [1, 2],
        "a.b": 1,
    }
    preview = preview_of(read_traces(io.BytesIO(orjson.dumps(row)), name="f", format="question_answer"))
    assert [column.name for column in preview.columns] == ["q", "qa", "m", "l", "a.b"]
    assert [tuple(column) for column in preview.nested] == [
        ("qa.a", "", ("1",)),
        ("qa.deep.x.y", "", ('{"z":1}',)),
        *((f"m[{i}].role", "", ("user",)) for i in range(4)),
    ]
    mapping = ColumnMapping.parse(["prompt=q", "final_answer=qa.deep.x.y.z"])
    preview = preview_of(read_traces(io.BytesIO(orjson.dumps(row)), name="f", mapping=mapping))
    assert [column.name for column in preview.told] == ["q", "qa", "m", "l", "a.b", "qa.deep.x.y.z"]
    assert preview.rows[0].traces[0]["final_answer"] == "1"


def test_a_preview_shows_numbers_that_json_libraries_cannot_write() -> None:
    row = b'{"question": "q", "answer": 123456789012345678901234567890}'
    preview = preview_of(read_traces(io.BytesIO(row), name="f"))
    assert preview.columns[1].samples == ("123456789012345678901234567890",)
    assert preview.rows[0].traces[0]["final_answer"] == "123456789012345678901234567890"


def test_a_diagnosis_accounts_for_every_row() -> None:
    rows = [GOOD, GOOD, b"{", b'{"question": 1}', b'{"question": "", "answer": "1"}', GOOD, b"[1]", b"[2]"]
    found = diagnose(read_traces(io.BytesIO(b"\n".join(rows)), name="f"))
    assert (found.rows, found.read, found.unique, found.duplicate, found.rejected) == (8, 8, 1, 2, 5)
    assert found.read == found.unique + found.duplicate + found.rejected
    assert [tuple(twin) for twin in found.twins] == [(2, 1), (6, 1)]
    assert found.reasons[0] == ("", 'is a list; each row must be a JSON object, such as {"prompt": ...}', 2, 7)
    assert sum(reason.times for reason in found.reasons) == 5
    assert [error.line for error in found.errors] == [3, 4, 5, 7, 8]


def test_the_size_of_a_source_is_known_where_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert size_of(path) == 5
    assert size_of(io.BytesIO(b"123")) == 3
    assert size_of(tmp_path / "none") is None
    assert size_of(io.RawIOBase()) is None  # type: ignore[arg-type]
