"""Traces through the API: in, listed, read, out."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import trace

LINES = {"content-type": "application/x-ndjson"}


def test_a_trace_is_stored_once_and_found_again(api: TestClient) -> None:
    first = api.post("/traces", json=trace(3))
    assert first.status_code == 201
    assert first.json()["duplicate"] is False
    again = api.post("/traces", json=trace(3))
    assert again.status_code == 200
    assert again.json() == {"id": first.json()["id"], "duplicate": True}
    stored = api.get(f"/traces/{first.json()['id']}").json()
    assert stored["trace"]["steps"][0]["content"] == "3 and 3 is 6"


def test_steps_may_be_objects_with_a_type(api: TestClient) -> None:
    answer = api.post("/traces", json=trace(1, steps=[{"content": "plan it", "type": "plan"}, "do it"]))
    stored = api.get(f"/traces/{answer.json()['id']}").json()
    assert [step["type"] for step in stored["trace"]["steps"]] == ["plan", "reason"]


@pytest.mark.parametrize(
    "value", [{"prompt": ""}, {"final_answer": " "}, {"steps": "text"}, {"more": 1}, {"prompt": "a\0"}]
)
def test_a_trace_that_breaks_the_schema_is_refused(api: TestClient, value: dict[str, Any]) -> None:
    answer = api.post("/traces", json=trace(1, **value))
    assert answer.status_code == 422
    assert next(iter(value)) in answer.json()["error"]["message"]
    assert api.get("/traces").json()["traces"] == []


@pytest.mark.parametrize("written", ["42", "-7", "1.50", "1e3", "true", "false", "18446744073709551616", '"1.50"'])
def test_an_answer_may_be_a_number_and_is_kept_as_it_is_written(api: TestClient, written: str) -> None:
    given = f'"final_answer": {written}, "reference_answer": {written}'
    body = f'{{"prompt": "p", "steps": ["s"], {given}, "meta": {{"n": 1.50}}}}'
    added = api.post("/traces", content=body, headers={"content-type": "application/json"})
    assert added.status_code == 201
    stored = api.get(f"/traces/{added.json()['id']}").json()["trace"]
    assert (stored["final_answer"], stored["reference_answer"]) == (written.strip('"'), written.strip('"'))
    assert stored["meta"] == {"n": 1.5}
    batch = api.post("/traces/batch", content=body, headers=LINES).json()
    assert batch["duplicate"] == 1, "the way of a file gives the same trace"


@pytest.mark.parametrize("written", ["NaN", "null", "[1]", "{}"])
def test_an_answer_that_is_neither_text_nor_number_is_refused(api: TestClient, written: str) -> None:
    body = f'{{"prompt": "p", "steps": ["s"], "final_answer": {written}}}'
    assert api.post("/traces", content=body, headers={"content-type": "application/json"}).status_code == 422


@pytest.mark.parametrize("lines", [True, False])
def test_a_batch_is_imported_and_every_row_accounted_for(api: TestClient, lines: bool) -> None:
    rows = [trace(1), trace(2), trace(1), {**trace(3), "prompt": ""}]
    if lines:
        answer = api.post("/traces/batch", content="\n".join(map(json.dumps, rows)), headers=LINES)
    else:
        answer = api.post("/traces/batch", json=rows)
    assert answer.status_code == 200
    report = answer.json()
    assert (report["read"], report["inserted"], report["duplicate"], report["rejected"]) == (4, 2, 1, 1)
    assert report["balanced"] is True
    # the line of the body where the row begins: a list that is written without line ends has only one
    assert report["errors"][0]["line"] == (4 if lines else 1)
    assert report["errors"][0]["field"] == "prompt"


def test_a_batch_may_be_in_any_format_that_can_be_imported(api: TestClient) -> None:
    row = {"question": "2+2?", "answer": "Add: 2+2=<<2+2=4>>4\n#### 4"}
    report = api.post("/traces/batch?source=school", content=json.dumps(row), headers=LINES).json()
    assert report["format"] == "gsm8k"
    assert report["inserted"] == 1


def test_a_batch_may_be_a_csv_file_and_its_columns_named_by_hand(api: TestClient) -> None:
    rows = "frage;antwort;code\nHow many?;42;007\n"
    query = "map=prompt=frage&map=final_answer=antwort"
    answer = api.post(f"/traces/batch?{query}", content=rows, headers={"content-type": "text/csv"})
    assert answer.json()["format"] == "mapping"
    (stored,) = api.get("/traces").json()["traces"]
    assert (stored["trace"]["prompt"], stored["trace"]["meta"]["code"]) == ("How many?", "007")
    assert api.post("/traces/batch?map=nonsense", content=rows, headers={"content-type": "text/csv"}).status_code == 422


def test_a_batch_may_be_packed(api: TestClient) -> None:
    body = gzip.compress(json.dumps(trace(1)).encode())
    assert api.post("/traces/batch", content=body, headers={"content-type": "application/gzip"}).json()["inserted"] == 1


def test_a_preview_shows_what_would_be_made_and_stores_nothing(api: TestClient) -> None:
    rows = '{"problem": "2+2?", "answer": "4", "level": 3}\n{"problem": "", "answer": "4"}\n'
    found = api.post("/traces/preview?source=mine", content=rows, headers=LINES).json()
    assert (found["format"], found["good"], found["bad"], found["whole"]) == ("question_answer", 1, 1, True)
    assert {column["name"]: column["field"] for column in found["columns"]} == {
        "problem": "prompt",
        "answer": "steps, final_answer",
        "level": "meta",
    }
    assert found["rows"][0]["traces"][0]["source"] == "mine"
    assert found["rows"][1]["errors"][0]["field"] == "problem"
    assert api.get("/traces").json()["traces"] == []


def test_a_diagnosis_counts_twins_and_reasons_and_stores_nothing(api: TestClient) -> None:
    rows = "\n".join(json.dumps(row) for row in [trace(1), trace(2), trace(1), {**trace(3), "prompt": ""}, [1]])
    found = api.post("/traces/doctor", content=rows, headers=LINES).json()
    assert (found["rows"], found["read"], found["unique"], found["duplicate"], found["rejected"]) == (5, 5, 2, 1, 2)
    assert found["twins"] == [{"line": 3, "first_line": 1}]
    assert {reason["first_line"] for reason in found["reasons"]} == {4, 5}
    assert api.get("/traces").json()["traces"] == []


@pytest.mark.parametrize("address", ["batch", "preview", "doctor"])
@pytest.mark.parametrize("body", [b"", b"\x00\x01\x02", b'{"unknown": 1}'])
def test_a_batch_that_cannot_be_read_stores_nothing(api: TestClient, body: bytes, address: str) -> None:
    answer = api.post(f"/traces/{address}", content=body, headers=LINES)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unreadable_file"
    assert api.get("/traces").json()["traces"] == []


def test_the_listing_pages_newest_first_without_gap_or_repeat(api: TestClient, ids: list[str]) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("/traces", params={"limit": 3, **({"after": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in page["traces"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ids[::-1]


def test_the_listing_is_searched_and_filtered(api: TestClient, ids: list[str]) -> None:
    api.post("/traces", json=trace(77, source="other"))
    assert [t["trace"]["final_answer"] for t in api.get("/traces?q=154").json()["traces"]] == ["154"]
    assert len(api.get("/traces?source=doubles").json()["traces"]) == 10
    assert api.get("/traces?model=none").json()["traces"] == []


@pytest.mark.parametrize("query", ['q="', "q=AND OR NOT", "q=*", "q=(", "q=a:b", "q=%00", "q=%F0%9F%98%80"])
def test_no_search_text_is_an_error(api: TestClient, ids: list[str], query: str) -> None:
    assert api.get(f"/traces?{query}").status_code == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=nonsense"])
def test_a_page_that_cannot_be_is_422(api: TestClient, query: str) -> None:
    assert api.get(f"/traces?{query}").status_code == 422


def test_a_deleted_trace_is_gone_and_says_so(api: TestClient, ids: list[str]) -> None:
    answer = api.delete(f"/traces/{ids[0]}")
    assert answer.status_code == 204
    assert answer.content == b""
    assert api.get(f"/traces/{ids[0]}").status_code == 404
    assert api.delete(f"/traces/{ids[0]}").status_code == 404
    assert len(api.get("/traces").json()["traces"]) == 9


def test_an_unknown_trace_is_404_and_an_impossible_id_422(api: TestClient) -> None:
    assert api.get(f"/traces/{'0' * 64}").status_code == 404
    assert api.get("/traces/..%2f..%2fetc").status_code in {404, 422}
    assert api.get("/traces/nonsense").status_code == 422
