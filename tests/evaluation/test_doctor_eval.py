"""`tunixrt doctor eval` says what a file would ask, and fails where a row is bad."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from tunixrt_core.cli.doctor import doctor_app
from tunixrt_core.errors import UnreadableFile

GOOD = [
    {"id": i, "question": f"What is {i} plus 1?", "expected": i + 1, "section": ["easy", "hard"][i % 3 == 0]}
    for i in range(6)
]


def run(*arguments: object, stdin: bytes | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(doctor_app, ["eval", *map(str, arguments)], input=stdin)
    return done.exit_code, done.output


def test_it_says_what_would_be_asked_and_how_it_groups(tmp_path: Path) -> None:
    path = tmp_path / "evals.json"
    path.write_bytes(orjson.dumps(GOOD))
    code, shown = run(path)
    assert code == 0
    assert "json, format columns, prompt = question, expected_answer = expected, id = id" in shown
    assert "Read 6 = 6 would be asked + 0 duplicate + 0 rejected" in shown
    table = [line.split() for line in shown.splitlines() if line.startswith("section")]
    assert table == [["section", "easy", "4"], ["section", "hard", "2"]]


def test_bad_rows_are_named_and_written_and_make_it_fail(tmp_path: Path) -> None:
    rejects = tmp_path / "bad.jsonl"
    data = b"".join(orjson.dumps(row) + b"\n" for row in GOOD) + b'{"id": 9, "question": "what?"}\n'
    code, shown = run("-", "--rejects", rejects, stdin=data)
    assert code == 1
    assert "standard input:7:expected: is missing" in shown
    assert rejects.read_bytes() == b'{"id": 9, "question": "what?"}\n'


def test_a_file_that_asks_nothing_fails(tmp_path: Path) -> None:
    path = tmp_path / "evals.jsonl"
    path.write_bytes(b'{"question": "what?"}\n')
    assert run(path)[0] == 1


def test_columns_are_told_by_hand_and_the_others_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "evals.jsonl"
    rows = [
        {"frage": f"What is {i} plus 1?", "extra": {"gold": i + 1}, "id": i, "level": ["easy", "hard"][i % 3 == 0]}
        for i in range(6)
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    assert run(path)[0] == 1, "no column has a usual name"
    code, shown = run(path, "--map", "prompt=frage", "--map", "expected_answer=extra.gold")
    assert code == 0
    assert "prompt = frage, expected_answer = extra.gold, id = id" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith(("level", "frage", "gold"))] == [
        ["level", "easy", "4"],
        ["level", "hard", "2"],
    ]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("answer=gold", "There is no field 'answer' for column 'gold'. Use: prompt, expected_answer, id, system."),
        ("prompt=fragge", "There is no column 'fragge' in the first rows. Keys seen: expected, id, question, section."),
        ("prompt", "'prompt' is not a mapping. Write field=column"),
    ],
)
def test_a_mapping_that_cannot_be_says_why(tmp_path: Path, pair: str, words: str) -> None:
    path = tmp_path / "evals.json"
    path.write_bytes(orjson.dumps(GOOD))
    done = CliRunner().invoke(doctor_app, ["eval", str(path), "--map", pair])
    assert isinstance(done.exception, UnreadableFile)
    assert words in str(done.exception)
