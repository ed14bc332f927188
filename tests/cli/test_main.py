"""The command does the whole loop, and every mistake is one sentence and a non-zero exit."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.helpers.command import tunixrt
from tunixrt_core.cli import main
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the examples in it, a dataset and its export."""
    path = tmp_path_factory.mktemp("cli") / "home"
    assert tunixrt("ingest", "--examples", home=path).returncode == 0
    assert tunixrt("dataset", "build", "mine", home=path).returncode == 0
    return path


def commands_of(group: Any, path: str = "tunixrt") -> Iterator[tuple[str, Any]]:
    """Every command by its words, each imported as it is looked up."""
    for name in group.commands:
        command = group.commands[name]
        yield f"{path} {name}", command
        yield from commands_of(command, f"{path} {name}") if hasattr(command, "commands") else ()


def test_every_command_and_every_option_and_argument_has_help() -> None:
    found = dict(commands_of(typer.main.get_group(main.app)))
    assert {"tunixrt ingest", "tunixrt runs resume", "tunixrt doctor data"} <= set(found)
    silent = [f"{words} {each.name}" for words, command in found.items() for each in command.params if not each.help]
    assert silent == []
    assert [words for words, command in found.items() if not command.help] == []


def test_a_command_prints_its_help(home: Path) -> None:
    shown = tunixrt("--help", home=home).stdout
    assert all(command in shown for command in main.COMMANDS)
    assert "Only versions of this dataset." in tunixrt("dataset", "list", "--help", home=home).stdout


def test_an_import_prints_the_sum_and_exits_with_1_where_a_line_was_rejected(tmp_path: Path) -> None:
    body = b'{"question": "2+2?", "answer": "#### 4"}\n{"question": 5}\n'
    done = tunixrt("ingest", "-", home=tmp_path / "home", stdin=body)
    assert done.returncode == 1
    assert "Read 2 = 1 inserted + 0 duplicate + 1 rejected" in done.stdout
    assert "standard input:2:" in done.stderr


def test_marks_of_ones_own_are_named_by_an_option(tmp_path: Path) -> None:
    body, home = b'{"prompt": "q", "completion": "[PLAN]x[/PLAN]4"}\n', tmp_path / "home"
    warned = tunixrt("ingest", "-", "--preview", home=home, stdin=body)
    assert "[PLAN] is in the answer" in " ".join(warned.stderr.split())
    done = tunixrt("ingest", "-", "--think-tags", "[PLAN]", "[/PLAN]", home=home, stdin=body)
    assert "1 inserted" in done.stdout
    assert "Warning" not in done.stderr


CSV = "frage;antwort\nHow many?;42\nbad\n"


def test_a_preview_stores_nothing_and_columns_can_be_named_by_hand(tmp_path: Path) -> None:
    path, home = tmp_path / "rows.csv", tmp_path / "home"
    path.write_text(CSV, encoding="utf-8")
    refused = tunixrt("ingest", path, home=home)
    assert refused.returncode == 1
    assert "--map prompt=COLUMN" in refused.stderr
    words = ("--map", "prompt=frage", "--map", "final_answer=antwort")
    shown = tunixrt("ingest", path, *words, "--preview", home=home)
    assert shown.returncode == 0
    assert "csv, format mapping" in shown.stdout
    assert "answer: 42" in shown.stdout
    stored = tunixrt("ingest", path, *words, "--rejects", tmp_path / "bad.csv", home=home)
    assert "Read 2 = 1 inserted + 0 duplicate + 1 rejected" in stored.stdout
    assert (tmp_path / "bad.csv").read_text(encoding="utf-8") == "frage;antwort\nbad\n"


def test_the_doctor_says_what_is_in_a_file_and_keeps_its_bad_rows(tmp_path: Path) -> None:
    path, rejects = tmp_path / "rows.jsonl", tmp_path / "bad.jsonl"
    good = b'{"question": "2+2?", "answer": "4"}\n'
    path.write_bytes(good + good + b'{"question": 5}\n{broken\n')
    done = tunixrt("doctor", "data", path, "--rejects", rejects, home=tmp_path / "home")
    assert done.returncode == 1
    assert "4 rows. Read 4 = 1 would be imported + 1 duplicate in the file + 2 rejected" in done.stdout
    assert "Line 2 gives the same trace as line 1." in done.stdout
    assert f"{path}:3:answer: is missing" in done.stderr
    assert f"{path}:4:: not valid JSON" in done.stderr
    assert rejects.read_bytes() == b'{"question": 5}\n{broken\n'
    assert "0 traces" in tunixrt("doctor", home=tmp_path / "home").stdout


def test_an_export_goes_where_it_is_told_to(home: Path, tmp_path: Path) -> None:
    done = tunixrt("export", "mine", "--output", tmp_path / "x.jsonl", home=home)
    assert done.returncode == 0
    assert (tmp_path / "x.jsonl").stat().st_size > 0
    assert re.search(r"sha256 [0-9a-f]{64}", done.stdout)


def test_an_export_is_written_as_it_is_asked_for_with_its_card_and_module(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "up" / "mine.jsonl.gz"
    done = tunixrt(
        "export", "mine", "--format", "grpo", "--as", "jsonl.gz", "--chat", "qwen3", "--card", "--module", "-o", file,
        home=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in file.parent.iterdir())
    assert names == ["README.md", "mine.jsonl.gz", "mine.jsonl.gz.meta.json", "mine.py"]
    assert "| chat | `qwen3` |" in (file.parent / "README.md").read_text()
    assert "<|im_start|>user" in gzip.decompress(file.read_bytes()).decode()


def test_each_side_of_the_split_is_exported_alone_or_into_a_file_of_its_own(home: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    assert tunixrt("export", "mine", "-o", whole, home=home).returncode == 0
    done = tunixrt("export", "mine", "--split-files", "--card", "-o", tmp_path / "up", home=home)
    assert done.returncode == 0, done.stderr
    names = ["README.md", "eval.jsonl", "eval.jsonl.meta.json", "train.jsonl", "train.jsonl.meta.json"]
    assert sorted(path.name for path in (tmp_path / "up").iterdir()) == names
    sides = [(tmp_path / "up" / f"{side}.jsonl").read_bytes().splitlines() for side in ("train", "eval")]
    assert sorted(line for side in sides for line in side) == sorted(whole.read_bytes().splitlines())
    alone = tmp_path / "alone.jsonl"
    assert tunixrt("export", "mine", "--split", "eval", "-o", alone, home=home).returncode == 0
    assert alone.read_bytes() == (tmp_path / "up" / "eval.jsonl").read_bytes()
    for other in (("--split", "train"), ("--format", "grpo", "--module")):
        refused = tunixrt("export", "mine", "--split-files", *other, home=home)
        assert refused.returncode == 2
        assert "--split-files writes two" in " ".join(refused.stderr.replace("│", " ").split())


def test_a_manifest_on_standard_output_can_be_piped_into_a_file(home: Path, tmp_path: Path) -> None:
    done = tunixrt("manifest", "--dataset", "mine", "--set", "epochs=3", "--set", "schedule=linear", home=home)
    (tmp_path / "m.yaml").write_text(done.stdout)
    loaded = load_manifest(tmp_path / "m.yaml")
    assert (loaded.duration.epochs, loaded.schedule.kind) == (3, "linear")


def test_a_manifest_of_a_model_that_is_not_in_the_home_is_made_with_a_warning(home: Path, tmp_path: Path) -> None:
    done = tunixrt("manifest", "--dataset", "mine", "--model", "org/name", home=home)
    assert (done.returncode, "tunixrt models get org/name" in done.stderr) == (0, True)
    (tmp_path / "m.yaml").write_text(done.stdout)
    assert load_manifest(tmp_path / "m.yaml").model.id == "org/name"
    assert "no model in nonesuch" in tunixrt("manifest", "--dataset", "mine", "--model", "nonesuch", home=home).stderr
    assert tunixrt("manifest", "--dataset", "mine", home=home).stderr == ""


def test_a_manifest_as_json_is_json(home: Path, tmp_path: Path) -> None:
    done = tunixrt("manifest", "--dataset", "mine", "--json", "-o", tmp_path / "m.json", home=home)
    assert done.returncode == 0
    assert (tmp_path / "m.json").read_text().startswith("{")
    assert load_manifest(tmp_path / "m.json").model.id == "tiny"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ingest", "/nowhere.jsonl"), "/nowhere.jsonl"),
        (("dataset", "build", "Not a name"), "name"),
        (("dataset", "build", "x", "--source", "nobody"), "No trace matches"),
        (("export", "none"), "none"),
        (("export", "mine", "--format", "stepwise"), "needs a score on every step"),
        (("export", "mine", "--as", "csv"), "jsonl, jsonl.gz, parquet"),
        (("export", "mine", "--style", "verse"), "style"),
        (("manifest", "--dataset", "mine", "--set", "learning_rate=-1"), "optimizer.learning_rate"),
        (("manifest", "--dataset", "mine", "--set", "words"), "NAME=VALUE"),
        (("manifest", "--dataset", "mine", "--model", "/no/model"), "model_id"),
        (("runs", "show", "r-9999"), "r-9999"),
        (("runs", "stop", "r-9999"), "r-9999"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_1(home: Path, arguments: tuple[str, ...], says: str) -> None:
    done = tunixrt(*arguments, home=home)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("ingest",), ("manifest",), ("ingest", "x", "--examples"), ("runs", "list", "--limit", "many"), ("nonsense",)],
)
def test_wrong_usage_exits_with_2(home: Path, arguments: tuple[str, ...]) -> None:
    done = tunixrt(*arguments, home=home)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    done = tunixrt("dataset", "list", home=tmp_path / "home")
    assert (done.returncode, "TUNIXRT_HOME" in done.stderr) == (1, True)


def test_doctor_says_what_is_there(home: Path) -> None:
    done = tunixrt("doctor", home=home)
    assert done.returncode == 0
    assert "Database" in done.stdout
    assert ("tunix-rt[tunix]" in done.stdout) is not is_tunix_available()


def test_doctor_fails_where_the_home_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = tunixrt("doctor", home=tmp_path / "file" / "home")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_runs_are_listed_shown_and_tailed(home: Path) -> None:
    folder = RunDir(home / "runs" / "r-0007")
    folder.create()
    folder.write_state(RunState(RunStatus.STOPPED, train_step=3, total_train_steps=9, device="CPU"))
    folder.log_file.write_text("a line\n")
    manifest = tunixrt("manifest", "--dataset", "mine", "--output-dir", folder.path, home=home).stdout
    folder.manifest_file.write_text(manifest)
    assert "r-0007" in tunixrt("runs", "list", home=home).stdout
    assert "3 of 9" in tunixrt("runs", "show", "r-0007", home=home).stdout
    assert "a line" in tunixrt("runs", "tail", "r-0007", home=home).stdout
    stopped = tunixrt("runs", "stop", "r-0007", home=home)
    assert (stopped.returncode, "nothing to stop" in stopped.stderr) == (1, True)


@pytest.mark.skipif(is_tunix_available(), reason="says what happens where Tunix is not installed")
@pytest.mark.parametrize(
    "command",
    [
        ("train", "m.yaml"),
        ("preflight", "m.yaml"),
        ("ask", "r-0001", "a"),
        ("memory", "--model", "tiny", "--estimate", "--device", "v5e"),
        ("demo", "--home", "a-demo"),
    ],
)
def test_without_tunix_training_says_what_to_install(home: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = tunixrt(*(tmp_path / word if word == "a-demo" else word for word in command), home=home)
    assert done.returncode == 1
    assert 'pip install "tunix-rt[tunix]"' in done.stderr


@pytest.mark.skipif(is_tunix_available(), reason="says what happens where Tunix is not installed")
def test_without_tunix_an_evaluation_that_needs_a_model_says_what_to_install(home: Path, tmp_path: Path) -> None:
    folder = RunDir(tmp_path / "run")
    folder.create()
    manifest = tunixrt("manifest", "--dataset", "mine", "--output-dir", folder.path, home=home).stdout
    folder.manifest_file.write_text(manifest)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=3))
    done = tunixrt("evaluate", folder.path, home=home)
    assert done.returncode == 1
    assert 'pip install "tunix-rt[tunix]"' in done.stderr


@pytest.mark.tunix
def test_a_run_folder_in_use_is_refused(home: Path, tmp_path: Path) -> None:
    manifest = tunixrt("manifest", "--dataset", "mine", "--output-dir", tmp_path / "run", home=home).stdout
    (tmp_path / "m.yaml").write_text(manifest)
    RunDir(tmp_path / "run").create()
    RunDir(tmp_path / "run").write_state(RunState(RunStatus.SUCCEEDED))
    done = tunixrt("train", tmp_path / "m.yaml", home=home)
    assert (done.returncode, "already holds a run" in done.stderr) == (1, True)


def test_an_export_that_asks_for_the_unknown_says_what_there_is(home: Path) -> None:
    layout = tunixrt("export-model", "r-0001", "--format", "zip", home=home)
    assert (layout.returncode, "merged, peft or both" in layout.stderr) == (2, True)
    size = tunixrt("export-model", "r-0001", "--max-shard-size", "big", home=home)
    assert (size.returncode, "is not a size" in size.stderr) == (2, True)
