"""What commands print: JSON documents, tables in pipes, and text that no terminal takes for commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.conftest import REPOSITORY
from tests.helpers.command import environment, tunixrt
from tunixrt_core.cli.main import app
from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.traces.trace import Step, Trace

PROMPT = "What is \x1b[31m6 * 7\x1b[0m, und wie groß\x9b2J?\n" + 120 * "x"
A = Trace(PROMPT, (Step(0, "six sevens :smile:", "plan"), Step(1, "42")), "42", reference_answer="42", source="one")
B = Trace(PROMPT, (Step(0, "six sevens", "plan"), Step(1, "41")), "41", reference_answer="42", source="two")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two traces of one prompt that would command a terminal, two versions of them, and a run that was stopped."""
    path = tmp_path_factory.mktemp("output") / "home"
    with open_home(path) as rt:
        rt.traces.add_many([A, B])
        rt.datasets.build("mine")
        rt.traces.add_many([Trace("1 + 1?", (Step(0, "two"),), "2")])
        rt.datasets.build("mine")
        folder = RunDir(path / "runs" / "r-0001")
        folder.create()
        folder.write_state(RunState(RunStatus.STOPPED, train_step=3, total_train_steps=9))
        folder.write_manifest(rt.manifests.build("mine", model_id="tiny").to_yaml())
    (path / "eval.jsonl").write_text('{"prompt": "1 + 1?", "expected_answer": "2"}\n')
    return path


@pytest.mark.parametrize("command", ["traces list", "dataset list", "runs list", "evals list", "users list"])
def test_an_empty_list_says_what_fills_it(tmp_path: Path, command: str) -> None:
    listed = tunixrt(*command.split(), home=tmp_path / "home")
    assert listed.stdout.splitlines()[1:] in ([], ["0 of 0 traces, newest first"])
    assert re.search("No .*: `tunixrt [a-z ]+", listed.stderr)


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """Every command, and every group that does something without a subcommand, by its words."""
    if names and getattr(group, "invoke_without_command", True):
        yield " ".join(names), group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


def document(*arguments: object, home: Path, code: int = 0) -> Any:
    done = tunixrt(*arguments, "--json", home=home)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


WITHOUT_JSON = {"serve", "runs tail"}  # a server, and a log


def test_every_command_with_a_result_prints_it_as_json() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert {"ingest", "doctor", "doctor data", "traces list"} <= set(found)
    without = {words for words, command in found.items() if "--json" not in str([one.opts for one in command.params])}
    assert without == WITHOUT_JSON


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("traces list", {"traces", "count", "exact"}),
        (f"traces show {A.content_hash}", {"id", "trace", "tags", "note", "scores", "created_at"}),
        (f"traces tag {A.content_hash} good", {"id", "trace", "tags", "note", "scores", "created_at"}),
        (f"traces diff {A.content_hash} {B.content_hash}", {"pairs", "divergence", "a", "b"}),
        ("traces groups", {"groups"}),
        ("traces delete --source one --dry-run", {"count", "exact", "deleted"}),
        ("dataset list", {"versions"}),
        ("dataset show mine", {"name", "version", "spec", "train_rows"}),
        ("dataset rows mine", {"rows"}),
        ("dataset gates mine", {"gates"}),
        ("dataset diff mine 1 2", {"added", "removed", "moved", "changed", "kept"}),
        ("dataset card mine", {"card"}),
        ("dataset build other --gate answer=warn", {"name", "version", "gates"}),
        ("export mine", {"path", "rows", "sha256", "bytes"}),
        ("manifest --dataset mine", {"model", "data", "output_dir"}),
        ("manifest --dataset mine -o {home}/m.json", {"output", "train_rows"}),
        ("runs list", {"runs"}),
        ("runs show r-0001", {"run", "state", "summary", "alerts"}),
        ("runs clone r-0001 --set learning_rate=0.001", {"manifest", "changed", "output"}),
        ("runs compare r-0001 r-0001", {"runs", "differences", "summaries"}),
        ("evals list", {"evaluations"}),
        ("evals board", {"metric", "boards"}),
        ("evals scorers", {"scorers"}),
        ("models list", {"models"}),
        pytest.param("models get tiny-micro", {"name", "path", "type", "layers"}, marks=pytest.mark.tunix),
        ("ingest {home}/eval.jsonl --map prompt=prompt --map final_answer=expected_answer", {"read", "inserted"}),
        ("ingest {home}/eval.jsonl --map prompt=prompt --map final_answer=expected_answer --preview", {"columns"}),
        ("doctor", {"checks"}),
        ("doctor data {home}/eval.jsonl --map prompt=prompt --map final_answer=expected_answer", {"rows", "reasons"}),
        ("doctor eval {home}/eval.jsonl", {"rows", "groups"}),
        ("doctor bundle -o {home}/bundle.zip", {"path", "bytes"}),
        ("db backup {home}/backup.db", {"path", "traces", "bytes"}),
        ("db check", {"traces", "tombstones", "problems"}),
    ],
)
def test_standard_output_is_one_json_document(home: Path, words: str, keys: set[str]) -> None:
    found = document(*words.format(home=home).split(), home=home)
    assert keys <= set(found)


def test_json_is_utf_8_and_holds_no_control_character_whatever_the_locale_is(home: Path) -> None:
    printed = process("traces", "show", A.content_hash, "--json", home=home, LC_ALL="C", PYTHONUTF8="0").stdout
    assert json.loads(printed.decode("utf-8"))["trace"]["prompt"] == PROMPT
    assert "groß" in printed.decode("utf-8")
    assert not [char for char in printed.decode("utf-8") if char != "\n" and not char.isprintable()]


def test_what_a_terminal_cannot_show_is_replaced(home: Path) -> None:
    done = process("traces", "show", A.content_hash, home=home, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"wie gro?" in done.stdout


@pytest.mark.parametrize(
    "words", ["list", f"show {A.content_hash}", f"diff {A.content_hash} {B.content_hash}", "groups"]
)
def test_control_characters_of_a_trace_are_escaped(home: Path, words: str) -> None:
    shown = tunixrt("traces", *words.split(), home=home).stdout
    assert r"\x1b[31m6 * 7" in shown
    assert not [char for char in shown if char not in "\n\t" and not char.isprintable()]


def test_words_between_colons_are_no_emoji(home: Path) -> None:
    assert "six sevens :smile:" in tunixrt("traces", "show", A.content_hash, home=home).stdout


def test_a_table_in_a_pipe_has_one_whole_line_per_row_and_no_colour(home: Path) -> None:
    done = process("traces", "list", home=home, COLUMNS="40")
    heading, *rows, count = done.stdout.decode().splitlines()
    assert heading.split() == ["Trace", "Prompt", "Steps", "Source", "Answer", "Tags"]
    assert {A.content_hash[:12], B.content_hash[:12]} <= {row.split()[0] for row in rows}
    assert count.endswith("traces, newest first")
    assert len(rows) == int(count.split()[0])
    assert b"\x1b" not in done.stdout


def process(*arguments: object, home: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own: the locale is read when Python starts."""
    command = [sys.executable, "-m", "tunixrt_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=REPOSITORY, env={**environment(home), **variables})


def test_the_shell_completes_commands(home: Path) -> None:
    asked = {"_TUNIXRT_COMPLETE": "complete_bash", "COMP_WORDS": "tunixrt data", "COMP_CWORD": "1"}
    done = process(home=home, **asked)
    assert (done.returncode, done.stdout.split()) == (0, [b"dataset"])


def test_the_version_is_an_option(home: Path) -> None:
    assert tunixrt("--version", home=home).stdout == "0.1.0\n"
