"""Rows inside of an object: lists under keys, tables by columns, objects by name, lists within lists."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.evaluation.sets.file import read_eval_file
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.ingest.reader import AnyReader, read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.trace import Trace

ROWS = [{"question": "7+5?", "answer": "12"}, {"question": "9-1?", "answer": "8"}]
TABLE = {"question": ["7+5?", "9-1?"], "answer": ["12", "8"]}


def reader(value: Any, **options: Any) -> AnyReader:
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return read_traces(io.BytesIO(data), name="f", **options)


def pairs(found: AnyReader) -> list[tuple[str, str] | str]:
    return [(item.prompt, item.final_answer) if isinstance(item, Trace) else str(item) for item in found]


WRAPPED: dict[str, Any] = {
    "data": {"version": 1, "data": ROWS},
    "examples": {"canary": "c", "examples": ROWS},
    "train": {"train": ROWS, "info": {"rows": 2}},
    "a key that nobody knows": {"zeilen": ROWS},
    "deeper": {"dataset": {"name": "n", "train": ROWS}},
    "a viewer": {
        "features": [{"name": "question"}],
        "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)],
    },
    "columns": TABLE,
    "columns by index": {name: {str(i): cell for i, cell in enumerate(cells)} for name, cells in TABLE.items()},
    "names, index and cells": {"columns": list(TABLE), "index": [0, 1], "data": [list(row.values()) for row in ROWS]},
    "objects by name": {"q1": ROWS[0], "q2": ROWS[1]},
    "samples with messages": {
        "eval": {"task": "t"},
        "samples": [
            {"id": 1, "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
            for q, a in (row.values() for row in ROWS)
        ],
    },
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("indent", [True, False])
def test_rows_are_read_from_inside_of_an_object(name: str, indent: bool) -> None:
    found = reader(orjson.dumps(WRAPPED[name], option=orjson.OPT_INDENT_2 if indent else 0))
    assert pairs(found) == [("7+5?", "12"), ("9-1?", "8")]
    assert found.container == ("json" if indent else "json_rows")
    assert found.notes[0].startswith("Rows are read from ")


def test_lists_within_lists_share_what_stands_around_them() -> None:
    asked = [{"question": "Where?", "id": 1, "answers": [{"text": "Rome", "answer_start": 1}]}]
    squad = {"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": "In Rome.", "qas": asked}]}]}
    (trace,) = reader(squad)
    assert isinstance(trace, Trace)
    assert (trace.prompt, trace.final_answer) == ("In Rome.\n\nWhere?", "Rome")
    assert (trace.meta["title"], trace.meta["id"]) == ("T", 1)
    assert "version" not in trace.meta


def test_numbers_keep_their_digits_and_rejected_rows_are_counted_and_written() -> None:
    sink = io.BytesIO()
    rejects = Rejects(sink)
    data = b'{"data": [{"question": "q", "answer": 1.50}, {"question": 2, "answer": "x"}]}'
    found = reader(data, rejects=rejects)
    assert pairs(found) == [("q", "1.50"), "f:row 2: question: must be text, not the number 2. Write it in quotes"]
    rejects.end()
    assert orjson.loads(sink.getvalue()) == [{"question": 2, "answer": "x"}]
    assert pairs(reader(b'{"question": ["q"], "answer": [1.50]}')) == [("q", "1.50")]
    assert pairs(reader(data.replace(b"data", b"x"), field="x"))[0] == ("q", "1.50")
    spread = data.replace(b"[{", b"[\n {").replace(b", {", b",\n\n {")
    assert pairs(reader(spread))[1].startswith("f:4: question: must be text")


def test_a_file_with_rows_in_several_places_is_refused_until_one_is_named() -> None:
    both = {"train": ROWS[:1], "test": ROWS[1:], "more": {"dev": ROWS}}
    with pytest.raises(UnreadableFile, match=r"rows in several places: train, test\. .* --field train"):
        reader(both)
    assert pairs(reader(both, field="test")) == [("9-1?", "8")]
    assert pairs(reader(both, field="more.dev")) == [("7+5?", "12"), ("9-1?", "8")]
    with pytest.raises(UnreadableFile, match=r"there is no 'valid' in it\. Keys seen: more, test, train"):
        reader(both, field="valid")


def test_lines_that_each_hold_a_row_keep_their_numbers() -> None:
    lines = b"\n".join(orjson.dumps({"row": row}) for row in (*ROWS, {"question": "q", "answer": ""}))
    found = reader(lines)
    items = list(found)
    assert [item.prompt for item in items if isinstance(item, Trace)] == ["7+5?", "9-1?"]
    assert [(item.line, item.unit) for item in items if isinstance(item, RowError)] == [(3, "line")]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
        {"question": "q", "answer": "a", "examples": ROWS},
    ],
)
def test_a_row_that_holds_lists_of_objects_is_still_one_row(row: dict[str, Any]) -> None:
    assert pairs(reader(row)) == [("q", "a")]


def test_one_long_line_that_holds_rows_is_no_line_that_is_too_long() -> None:
    data = orjson.dumps({"data": [{"question": f"q{n} {'x' * 1000}", "answer": "1"} for n in range(200)]})
    assert len(pairs(reader(data, max_line_bytes=1000))) == 200


def test_an_eval_file_is_unwrapped_in_the_same_way() -> None:
    for name in ("data", "a viewer", "columns"):
        found, report = read_eval_file(io.BytesIO(orjson.dumps(WRAPPED[name])), name="f")
        assert ([(row.prompt, row.reference) for row in found.rows], report.rejected) == (
            [("7+5?", "12"), ("9-1?", "8")],
            0,
        )
