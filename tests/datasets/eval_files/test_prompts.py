"""Eval files: any format that is read, known by their hash, and refused where they are not the one that is named."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from tunixrt_core.datasets.eval_files.prompts import EvalFile, with_eval_file
from tunixrt_core.datasets.gates.check import Asking
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset, UnreadableFile
from tunixrt_core.evaluation.sets.file import file_set

LINES = b"".join(json.dumps({"question": f"q{n}", "answer": f"so #### {n}"}).encode() + b"\n" for n in range(3))
SPEC = DatasetSpec("d", gates={"contamination": "warn"})


def test_a_file_is_named_in_the_spec_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_bytes(LINES)
    for file in (EvalFile.at(tmp_path / "test.jsonl"), EvalFile("test.jsonl", LINES)):
        spec, opened = with_eval_file(SPEC, file)
        assert spec.gates["contamination"]["eval_sha256"] == hashlib.sha256(LINES).hexdigest()
        assert opened is not None
        assert list(opened.prompts()) == [Asking("q0"), Asking("q1"), Asking("q2")]


def test_a_zipped_file_is_read_too() -> None:
    _, opened = with_eval_file(SPEC, EvalFile("test.jsonl.gz", gzip.compress(LINES)))
    assert opened is not None
    assert len(list(opened.prompts())) == 3


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": "e1", "prompt": "q0", "expected_answer": "4"}\n',
        b'{"examples": [{"input": "q0", "target": "4"}]}',
        b'{"prompt": "q0", "completion": "4", "label": true}\n',
        b"Question;Answer\nq0;4\n",
    ],
)
def test_what_an_evaluation_reads_is_compared_with_too(content: bytes) -> None:
    _, opened = with_eval_file(SPEC, EvalFile("test", content))
    assert opened is not None
    assert list(opened.prompts()) == [Asking("q0")]


def test_a_spec_that_names_a_file_needs_that_file() -> None:
    named, _ = with_eval_file(SPEC, EvalFile("a", LINES))
    assert with_eval_file(named, EvalFile("other-name", LINES))[0] == named
    with pytest.raises(InvalidDataset, match="needs the eval file with sha256"):
        with_eval_file(named, None)
    with pytest.raises(InvalidDataset, match="names the eval file with sha256"):
        with_eval_file(named, EvalFile("a", LINES + b"\n"))


def test_a_file_that_is_not_there_or_holds_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        with_eval_file(SPEC, EvalFile.at(tmp_path / "none.jsonl"))
    _, opened = with_eval_file(SPEC, EvalFile("x", b'{"question": "", "answer": "#### 3"}\n'))
    assert opened is not None
    with pytest.raises(UnreadableFile):
        list(opened.prompts())


def test_a_file_without_a_gate_for_it_is_refused() -> None:
    assert with_eval_file(DatasetSpec("d"), None) == (DatasetSpec("d"), None)
    for gates in ({}, {"contamination": {"against": "split"}}):
        with pytest.raises(InvalidDataset, match="contamination: must be"):
            with_eval_file(DatasetSpec("d", gates=gates), EvalFile("a", LINES))
    with pytest.raises(InvalidDataset, match="needs the eval file"):
        with_eval_file(DatasetSpec("d", gates={"contamination": {"against": "file"}}), None)


OWN_FORM = b'{"id": "e1", "prompt": "What is 2+2?", "expected_answer": "4"}\n'


@pytest.mark.parametrize(
    ("name", "content", "prompts"),
    [
        ("own.jsonl", OWN_FORM, ["What is 2+2?"]),
        ("table.csv", b"Problem,Solution\n1+1?,2\n2+3?,5\n", ["1+1?", "2+3?"]),
        ("wrapped.json", b'{"rows": [{"question": "a?", "target": 1}, {"question": "b?", "target": 2}]}', ["a?", "b?"]),
        ("bad.jsonl", OWN_FORM + b'{"id": "e2", "prompt": "", "expected_answer": "4"}\n', ["What is 2+2?", None]),
    ],
)
def test_a_file_is_read_as_evaluate_reads_it(
    name: str, content: bytes, prompts: list[str | None], tmp_path: Path
) -> None:
    _, opened = with_eval_file(SPEC, EvalFile(name, content))
    assert opened is not None
    assert list(opened.prompts()) == [prompt and Asking(prompt) for prompt in prompts]
    (tmp_path / name).write_bytes(content)
    asked = file_set(tmp_path / name, allow_rejects=True)
    assert [row.prompt for row in asked.rows] == [prompt for prompt in prompts if prompt]
