"""An eval file is read in every container and column name, checked like an import, and never asked in part."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.conversations import CALL, called, calling, talk
from tunixrt_core.errors import InvalidEvaluation, UnreadableFile
from tunixrt_core.evaluation.sets.eval_set import EvalSet
from tunixrt_core.evaluation.sets.file import file_set, read_eval_file
from tunixrt_core.evaluation.sets.report import EvalFileReport
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.traces.conversation import calls_text

ROWS = [
    {"id": f"r{i}", "prompt": f"What is {i} plus 1?", "expected_answer": str(i + 1), "section": "ab"[i % 2]}
    for i in range(6)
]
SAMPLE = REPOSITORY / "../shared/data/gsm8k_train.jsonl"


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def read(data: bytes, name: str = "evals.jsonl", **options: Any) -> tuple[EvalSet, EvalFileReport]:
    found, report = read_eval_file(io.BytesIO(data), name=name, **options)
    assert report.balanced
    return found, report


def errors(report: EvalFileReport) -> list[str]:
    return [str(error) for error in report.errors]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(
        ",".join(str(cell) for cell in row) for row in [list(rows[0]), *(r.values() for r in rows)]
    ).encode()


# --- containers and columns


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.JSONL", lines(ROWS)),
        ("a.json", orjson.dumps(ROWS)),
        ("a.json", orjson.dumps({"name": "mine", "rows": ROWS})),
        ("a.json", orjson.dumps({"about": {"rows": 1}, "examples": ROWS}, option=orjson.OPT_INDENT_2)),
        ("a.CSV", csv_of(ROWS)),
        ("a.parquet", parquet(ROWS)),
    ],
)
def test_every_container_gives_the_same_rows(name: str, data: bytes, pack: Any) -> None:
    found, report = read(pack(data), name)
    assert [(row.id, row.prompt, row.reference, row.groups) for row in found.rows] == [
        (row["id"], row["prompt"], row["expected_answer"], {"section": row["section"]}) for row in ROWS
    ]
    assert report.groups == {"section": {"a": 3, "b": 3}}
    assert (found.ref.kind, found.ref.name, found.ref.rows) == ("file", name, 6)
    assert found.ref.sha256 == read(lines(ROWS))[0].ref.sha256


@pytest.mark.parametrize("prompt", ["prompt", "Question", "problem", "input", "query"])
@pytest.mark.parametrize("expected", ["expected_answer", "Expected Answer", "reference_answer", "answer", "target"])
def test_columns_go_by_their_usual_names_in_any_case(prompt: str, expected: str) -> None:
    found, report = read(lines([{prompt: "1 + 1?", expected: "2", "uid": 7, "System": "Be brief."}]))
    (row,) = found.rows
    assert (row.id, row.prompt, row.reference, row.system) == ("7", "1 + 1?", "2", "Be brief.")
    assert report.columns == {"prompt": prompt, "expected_answer": expected, "id": "uid", "system": "System"}


@pytest.mark.parametrize("written", ["42", "42.0", "1.50", "1e3", "-7", "123456789012345678901234567890", "true"])
def test_an_answer_that_is_no_text_is_taken_as_it_is_written(written: str) -> None:
    found, _ = read(b'{"prompt": "how many?", "expected_answer": %b}\n' % written.encode())
    assert found.rows[0].reference == written


def test_a_floating_point_answer_of_parquet_is_refused_because_its_text_is_gone() -> None:
    _, report = read(parquet([{"prompt": "half?", "expected_answer": 42.0}]))
    assert errors(report) == [
        "evals.jsonl:1: expected_answer: is the floating-point number 42.0, of which Parquet keeps no text; "
        "write the column as text"
    ]


def test_worked_solutions_give_their_final_answer() -> None:
    worked = [{"question": f"q{i}", "answer": f"so\n#### {i}"} for i in range(3)]
    assert [row.reference for row in read(lines(worked))[0].rows] == ["0", "1", "2"]
    boxed = [{"problem": "p", "solution": "We find $\\boxed{5}$.", "level": 3}]
    assert read(lines(boxed))[0].rows[0].reference == "5"
    both = [{"problem": "p", "solution": "long", "answer": "\\frac{1}{2}"}]
    assert read(lines(both))[0].rows[0].reference == "\\frac{1}{2}"


def test_formats_of_import_give_prompt_and_reference_of_their_traces() -> None:
    trace = {"prompt": "p1", "steps": ["s"], "final_answer": "5", "reference_answer": "6", "meta": {"level": 1}}
    found, report = read(lines([trace, {**trace, "prompt": "p2"}, {**trace, "prompt": "p3", "meta": {"level": 2}}]))
    assert [(row.prompt, row.reference, row.groups) for row in found.rows] == [
        ("p1", "6", {"level": "1"}),
        ("p2", "6", {"level": "1"}),
        ("p3", "6", {"level": "2"}),
    ]
    assert report.format == "trace"
    chat = {"messages": [{"role": "user", "content": "hi?"}, {"role": "assistant", "content": "yes"}], "id": "m"}
    found, report = read(lines([chat]))
    assert [(row.id, row.prompt, row.reference) for row in found.rows] == [("m", "hi?", "yes")]


# --- groups


def test_only_columns_of_few_short_values_group() -> None:
    rows = [
        {
            "prompt": f"p{i}",
            "answer": "1",
            "level": i % 3,
            "weight": [1.5, 2.25][i % 2],
            "hard": i % 2 == 0,
            "note": "words " * 20 + str(i % 2),
            "unique": f"u{i}",
            "same": "x",
            "tags": ["a"],
            "metadata": {"subject": ["sea", "sky"][i % 2]},
        }
        for i in range(60)
    ]
    found, report = read(lines(rows))
    assert set(report.groups) == {"level", "weight", "hard", "subject"}
    assert found.rows[0].groups == {"level": "0", "weight": "1.5", "hard": "true", "subject": "sea"}
    assert report.groups["level"] == {"0": 20, "1": 20, "2": 20}


# --- ids, duplicates, rejects


def test_rows_without_an_id_are_named_by_what_they_ask_wherever_they_stand() -> None:
    plain = [{"prompt": row["prompt"], "answer": row["expected_answer"]} for row in ROWS]
    ids = [row.id for row in read(lines(plain))[0].rows]
    assert ids == [row.id for row in read(lines(plain[::-1]))[0].rows][::-1]
    assert len(set(ids)) == 6


def test_what_comes_twice_is_counted_and_what_contradicts_is_refused() -> None:
    twice = [
        ROWS[0],
        ROWS[0],  # the same row
        {**ROWS[0], "id": "new", "prompt": " what IS 0  plus 1?"},  # the same prompt
        {**ROWS[1], "id": "r0"},
        {**ROWS[0], "id": "other", "expected_answer": "9"},
    ]
    found, report = read(lines(twice))
    assert (report.read, report.rows, report.duplicate, report.rejected) == (5, 1, 2, 2)
    assert errors(report) == [
        "evals.jsonl:4: id: 'r0' is the id of line 1 too",
        "evals.jsonl:5: expected_answer: is not that of line 1, which has the same prompt",
    ]
    assert [row.id for row in found.rows] == ["r0"]


BAD = (
    lines(ROWS[:1])
    + b'{"id": "x", "prompt": "no answer"}\n'
    + b'{"id": "y", "prompt": "", "expected_answer": "1"}\n\n'
    + b'{"id": "z", "prompt": "a list", "expected_answer": ["1"]}\n'
    + b'{"id": "n", "prompt": 5, "expected_answer": "1"}\n'
    + b'{"prompt": "no id", "expected_answer": "1"}\n'
    + b'{"id": "k", "prompt": "a", "prompt": "b", "expected_answer": 123456789012345678901}\n'
    + b"{broken\n"
)


def test_every_bad_row_is_named_by_line_and_field() -> None:
    rejected = io.BytesIO()
    found, report = read(BAD, rejects=Rejects(rejected))
    assert [str(error).removeprefix("evals.jsonl:") for error in report.errors] == [
        "2: expected_answer: is missing",
        "3: prompt: is empty",
        "5: expected_answer: must be text, a number, true or false, not a list",
        "6: prompt: must be text, not a number",
        "7: id: is missing",
        "8: prompt: the key occurs twice in one object. Remove one of them",
        "9: not valid JSON: expecting property name enclosed in double quotes at column 2, where the row reads "
        "`broken`. Write it with a JSON library",
    ]
    assert rejected.getvalue() == b"".join(line for line in BAD.splitlines(keepends=True)[1:] if line.strip())
    assert len(found.rows) == 1


def test_an_evaluation_does_not_go_on_without_the_bad_rows_unless_told_to(tmp_path: Path) -> None:
    path = tmp_path / "evals.jsonl"
    path.write_bytes(BAD)
    with pytest.raises(InvalidEvaluation) as raised:
        file_set(path)
    assert "7 of the 8 rows" in str(raised.value)
    assert str(raised.value).count(f"{path}:") == 3
    assert len(file_set(path, allow_rejects=True).rows) == 1


def test_rows_inside_of_an_object_are_named_by_their_own_lines() -> None:
    data = b'{\n "rows": [\n  {"prompt": "a", "answer": "1"},\n  {"prompt": "b"}\n ]\n}\n'
    assert errors(read(data)[1]) == ["evals.jsonl:4: answer: is missing"]


def test_a_limit_takes_the_first_rows_and_still_checks_all(tmp_path: Path) -> None:
    path = tmp_path / "evals.jsonl"
    path.write_bytes(lines(ROWS))
    found = file_set(path, 2)
    assert [row.id for row in found.rows] == ["r0", "r1"]
    assert found.rows[0].groups == {"section": "a"}
    path.write_bytes(BAD)
    with pytest.raises(InvalidEvaluation):
        file_set(path, 1)


def test_a_file_that_asks_nothing_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"name the columns `prompt` and `expected_answer`.*Keys seen: text"):
        read(lines([{"text": "x"}]))
    with pytest.raises(UnreadableFile, match="does not exist"):
        file_set(tmp_path / "none.jsonl")
    _, report = read(lines([{"prompt": "x", "section": "a"}]))
    assert errors(report) == ["evals.jsonl:1: expected_answer: is missing"]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the GSM8K file is not here")
def test_gsm8k_is_read_whole() -> None:
    found, report = read_eval_file(SAMPLE)
    assert (report.format, report.read, report.rows, report.rejected) == ("gsm8k", 7473, 7473 - report.duplicate, 0)
    assert found.rows[0].reference == "72"


def test_an_answer_that_its_row_calls_wrong_is_no_reference() -> None:
    pair = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}
    found, report = read(lines([pair]))
    assert ([row.reference for row in found.rows], report.rejected) == (["4"], 0)
    talk = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5"}]
    _, report = read(lines([{"messages": talk, "label": False}, {"messages": talk}]))
    assert (report.rows, report.rejected) == (1, 1)
    assert "the row calls its own answer wrong" in errors(report)[0]


def test_rows_keep_the_turns_around_their_prompt() -> None:
    traces = [talk(1), talk(2, prompt="And 1 and 2?"), called(3), calling(4)]
    found, report = read(b"".join(trace.canonical + b"\n" for trace in traces))
    assert (report.rows, report.format) == (4, "trace")
    assert [row.conversation for row in found.rows] == [trace.conversation.without_calls() for trace in traces]
    assert [row.reference for row in found.rows] == ["3", "4", "3 degrees", calls_text([CALL])]
    assert len({row.id for row in found.rows}) == 4
