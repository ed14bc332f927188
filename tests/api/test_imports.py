"""Rejected rows of a batch or a check as a download, byte for byte; and what a body may say of its columns."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from app.api.rejected import Rejected, RejectedFiles
from tests.api.conftest import trace
from tunixrt_core.errors import NotFound

LINES = {"content-type": "application/x-ndjson"}
GOOD = json.dumps(trace(1)).encode()


def parquet_file() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"question": ["a", ""], "answer": ["1", "2"]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("address", ["batch", "doctor"])
@pytest.mark.parametrize(
    ("body", "kind", "rejected", "name"),
    [
        (GOOD + b"\r\n{broken \xff\r\n  [1]\n", "application/x-ndjson", b"{broken \xff\n  [1]\n", "rejects.jsonl"),
        (gzip.compress(GOOD + b"\n{broken"), "application/gzip", b"{broken\n", "rejects.jsonl"),
        (b"[" + GOOD + b',\n{"prompt" : 1}]', "application/json", b'[\n{"prompt" : 1}\n]\n', "rejects.json"),
        (b'question,answer\nq,1\n"",2\n', "text/csv", b'question,answer\n"",2\n', "rejects.csv"),
        (parquet_file(), "application/vnd.apache.parquet", b'{"question":"","answer":"2"}\n', "rejects.jsonl"),
    ],
    ids=["lines", "gzip", "array", "csv", "parquet"],  # the packed bytes hold the time
)
def test_rejected_rows_are_downloaded_as_they_stood_in_the_body(
    api: TestClient, address: str, body: bytes, kind: str, rejected: bytes, name: str
) -> None:
    found = api.post(f"/traces/{address}", content=body, headers={"content-type": kind}).json()
    answer = api.get(found["rejects"].removeprefix("/api"))
    assert (answer.status_code, answer.content) == (200, rejected)
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == "application/octet-stream"
    again = api.post("/traces/doctor", content=answer.content, headers=LINES | {"content-type": kind})
    assert again.status_code == 422 or again.json()["unique"] == 0  # no good row is among them


def test_where_nothing_was_rejected_there_is_nothing_to_download(api: TestClient) -> None:
    assert api.post("/traces/batch", content=GOOD, headers=LINES).json()["rejects"] is None
    answer = api.get("/traces/rejects/0123")
    assert answer.status_code == 404
    assert "Send the file again" in answer.json()["error"]["message"]


def test_the_newest_rejected_rows_are_kept_and_the_oldest_go_first() -> None:
    def file(size: int) -> Rejected:
        return Rejected(io.BytesIO(), size, ".jsonl")

    files = RejectedFiles(max_files=2, max_bytes=100)
    first, second, third = (files.keep(file(10)) for _ in range(3))
    assert [files.get(name).size for name in (second, third)] == [10, 10]
    with pytest.raises(NotFound):
        files.get(first)
    large = files.keep(file(500))
    assert files.get(large).size == 500
    with pytest.raises(NotFound):
        files.get(third)


def test_a_bad_row_of_parquet_is_counted_in_rows(api: TestClient) -> None:
    found = api.post(
        "/traces/batch", content=parquet_file(), headers={"content-type": "application/octet-stream"}
    ).json()
    assert [(error["line"], error["unit"], error["field"]) for error in found["errors"]] == [(2, "row", "question")]


def test_a_column_inside_of_another_is_offered_and_can_be_named(api: TestClient) -> None:
    body = '{"messages": [{"content": "How many?"}], "extra": {"solution": 42.50}}'
    offered = api.post("/traces/preview?format=question_answer", content=body, headers=LINES).json()["nested"]
    assert [column["name"] for column in offered] == ["messages[0].content", "extra.solution"]
    query = "map=prompt=messages[0].content&map=final_answer=extra.solution"
    shown = api.post(f"/traces/preview?{query}", content=body, headers=LINES).json()
    assert {column["name"]: column["field"] for column in shown["nested"]} == {
        "messages[0].content": "prompt",
        "extra.solution": "final_answer",
    }
    assert api.post(f"/traces/batch?{query}", content=body, headers=LINES).json()["inserted"] == 1
    (stored,) = api.get("/traces").json()["traces"]
    assert (stored["trace"]["prompt"], stored["trace"]["final_answer"]) == ("How many?", "42.50")


def test_marks_of_ones_own_are_warned_of_until_they_are_named(api: TestClient) -> None:
    body = b'{"prompt": "q", "completion": "<plan>x</plan>4"}'
    (warning,) = api.post("/traces/preview", content=body, headers=LINES).json()["warnings"]
    assert "<plan> is in the answer" in warning["text"]
    address = "/traces/batch?think_tags=%3Cplan%3E&think_tags=%3C/plan%3E"
    report = api.post(address, content=body, headers=LINES).json()
    assert (report["inserted"], report["warnings"]) == (1, [])
    assert api.post("/traces/batch?think_tags=%3Cplan%3E", content=body, headers=LINES).status_code == 422


def test_a_body_may_say_where_its_rows_are_and_in_what_encoding(api: TestClient) -> None:
    row = '{"question": "Où ?", "answer": "là", "context": "Nord"}'
    body = f'{{"a": [{row}], "b": [{row}, {row}]}}'.encode("cp1252")
    kind = {"content-type": "application/json"}
    assert api.post("/traces/preview", content=body, headers=kind).status_code == 422
    found = api.post("/traces/preview?field=b&encoding=cp1252", content=body, headers=kind).json()
    assert (found["good"], found["rows"][0]["traces"][0]["prompt"]) == (2, "Nord\n\nOù ?")
    assert found["columns"][0] == {"name": "question", "field": "prompt", "samples": ["Où ?"]}
    assert found["notes"] == [
        "The text is read as cp1252 (as you said). Name another one with --encoding.",
        "Rows are read from `b`.",
    ]
    report = api.post("/traces/batch?field=b&encoding=cp1252", content=body, headers=kind).json()
    assert (report["inserted"], report["duplicate"], report["notes"]) == (1, 1, found["notes"])
