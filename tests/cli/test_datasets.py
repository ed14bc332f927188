"""The dataset commands as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tunixrt_core.cli.build import read_gates
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.errors import InvalidDataset


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty traces, two of them wrong, and a version that names those two."""
    folder = tmp_path_factory.mktemp("cli")
    rows = [
        {
            "prompt": f"What is the double of {n}?",
            "steps": [f"{n} + {n} = {2 * n}"],
            "final_answer": str(2 * n) if n < 28 else "7",
            "reference_answer": str(2 * n),
            "source": "doubles",
        }
        for n in range(30)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert tunixrt("ingest", folder / "rows.jsonl", home=folder / "home").returncode == 0
    built = tunixrt("dataset", "build", "mine", "--gate", "answer=warn", home=folder / "home")
    assert built.returncode == 0, built.stderr
    assert "mine v1:" in built.stdout
    return folder / "home"


def test_the_rows_behind_a_gate_are_printed_with_why(home: Path) -> None:
    outcomes = tunixrt("dataset", "gates", "mine", home=home).stdout
    assert "answer" in outcomes
    assert "right 28, wrong 2" in outcomes
    found = tunixrt("dataset", "gates", "mine", "answer", home=home).stdout
    assert found.count("The answer is not the reference. Answer '7'") == 2
    assert tunixrt("dataset", "gates", "mine", "answer", "--reason", "timeout", home=home).stdout == ""


def test_a_spec_that_was_printed_builds_the_same_version(home: Path, tmp_path: Path) -> None:
    shown = tunixrt("dataset", "show", "mine", "--version", 1, home=home).stdout
    (tmp_path / "spec.yaml").write_text(shown.split("\n\n", 1)[1])
    again = tunixrt("dataset", "build", "--spec", tmp_path / "spec.yaml", home=home)
    assert again.stdout.splitlines()[0] == shown.splitlines()[0]


def test_options_win_over_the_spec_and_a_diff_names_the_rows(home: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("name: other\nsource: doubles\ngates: {answer: warn, tags: warn}\n")
    command = ("dataset", "build", "twice", "--spec", tmp_path / "spec.yaml")
    first = tunixrt(*command, home=home)
    assert "twice v1:" in first.stdout, first.stderr
    second = tunixrt(*command, "--gate", "answer=exclude,wrong_only=on", home=home)
    assert "twice v2:" in second.stdout, second.stderr
    found = tunixrt("dataset", "diff", "twice", 1, 2, home=home).stdout
    assert "0 added, 2 removed, 0 moved, 0 changed, 28 kept" in found
    assert found.count("\n- ") == 2


def test_selections_can_be_asked_for(home: Path) -> None:
    options = ("--selection", "stratified", "--by", "source", "--limit", 12, "--eval-share", 0)
    built = tunixrt("dataset", "build", "some", *options, home=home)
    assert "some v1: 12 train + 0 eval rows" in built.stdout, built.stderr


def test_an_eval_file_is_compared_with(home: Path, tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"question": "What is the double of 3?", "answer": "6"}\n')
    options = ("--eval-file", tmp_path / "test.jsonl", "--gate", "contamination=exclude,ngram=6")
    built = tunixrt("dataset", "build", "clean", "--eval-share", 0, *options, home=home)
    assert "clean v1: 29 train + 0 eval rows" in built.stdout, built.stderr
    assert "[What is the double of 3]" in tunixrt("dataset", "gates", "clean", "contamination", home=home).stdout


def test_rows_and_card_are_printed(home: Path) -> None:
    assert tunixrt("dataset", "rows", "mine", "--limit", 3, "--split", "train", home=home).stdout.count("train") == 3
    assert tunixrt("dataset", "card", "mine", home=home).stdout.startswith("# mine v1\n")
    assert tunixrt("dataset", "rows", "mine", "--split", "test", home=home).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "x", "--gate", "beauty=warn"), "gates.beauty"),
        (("build", "x", "--gate", "answer"), "GATE=ACTION"),
        (("build", "x", "--gate", "answer=warn,seconds"), "GATE=ACTION"),
        (("build", "x", "--selection", "top", "--limit", "3"), "by:"),
        (("build",), "name: is missing"),
        (("build", "--spec", "/nowhere.yaml"), "there is no such file"),
        (("build", "x", "--eval-file", "/nowhere.jsonl"), "/nowhere.jsonl does not exist"),
        (("gates", "mine", "beauty"), "no gate 'beauty'"),
        (("diff", "mine", "1", "9"), "mine v9"),
        (("card", "none"), "none"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_1(home: Path, arguments: tuple[str, ...], says: str) -> None:
    done = tunixrt("dataset", *arguments, home=home)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_gates_are_read_with_their_settings() -> None:
    assert read_gates(["near_duplicate=exclude,threshold=0.9,of=prompt", "tags=off"]) == {
        "near_duplicate": {"action": "exclude", "threshold": 0.9, "of": "prompt"},
        "tags": {"action": "off"},
    }
    assert set(read_gates(["all=warn"])) == set(GATES)
    with pytest.raises(InvalidDataset):
        read_gates(["=,"])
