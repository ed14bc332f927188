"""A home's problems are named, and repaired or moved aside without a loss."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.helpers.fakes import FakeBackend
from tests.pipeline.test_pipeline import open_with
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import BrokenFile, Conflict
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    """Two finished runs."""
    with open_with(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")}), FakeBackend()) as pipeline:
        pipeline.traces.ingest_examples(20)
        pipeline.datasets.build(DatasetSpec("mine"))
        for _ in range(2):
            pipeline.runs.start(pipeline.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 3}))
        assert pipeline.queue.wait(30)
        pipeline.settings.home.chmod(0o700)
        yield pipeline


def folder(rt: Pipeline, run: str = "r-0001") -> RunDir:
    return RunDir(rt.settings.runs_dir / run)


def aside(rt: Pipeline) -> list[str]:
    return sorted(path.name for path in rt.settings.aside_dir.rglob("*") if path.is_file())


BREAKS: dict[str, tuple[Callable[[RunDir], object], str]] = {
    "empty state": (lambda run: run.state_file.write_bytes(b""), "state.json: is empty"),
    "half a state": (lambda run: os.truncate(run.state_file, 40), "state.json: is not JSON"),
    "null": (lambda run: run.state_file.write_text("null"), "state.json: is not a JSON object"),
    "unknown status": (lambda run: run.state_file.write_text('{"status": "x"}'), r"Invalid enum value 'x'"),
    "time of another age": (lambda run: run.state_file.write_text('{"ended_at": 1e300}'), "ended_at"),
    "no state": (lambda run: run.state_file.unlink(), "state.json: the file is missing"),
    "manifest not UTF-8": (lambda run: run.manifest_file.write_bytes(b"a: \xff"), "manifest.yaml: is not UTF-8"),
    "impossible date": (lambda run: run.manifest_file.write_text("a: 2026-99-99"), "manifest.yaml: is not YAML"),
    "no manifest": (lambda run: run.manifest_file.unlink(), "manifest.yaml: the file is missing"),
    "manifest a pipe": (
        lambda run: (run.manifest_file.unlink(), os.mkfifo(run.manifest_file)),
        "manifest.yaml: is a pipe",
    ),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_run_names_its_file_and_is_repaired(rt: Pipeline, how: str) -> None:
    act, reason = BREAKS[how]
    before = rt.runs.get("r-0001")
    act(folder(rt))
    other, broken = rt.runs.page().items
    assert (other.id, other.status) == ("r-0002", "succeeded")
    assert broken.status is RunStatus.BROKEN
    with pytest.raises(BrokenFile, match=reason):
        raise BrokenFile(Path(), broken.message)
    for use in (rt.runs.manifest, rt.runs.resume, rt.evaluations.start, rt.model_exports.start):
        with pytest.raises(Conflict, match=r"state\.json|manifest\.yaml"):
            use("r-0001")
    (found,) = rt.home.look_through()
    assert (found.run, found.done) == ("r-0001", False)
    (found,) = rt.home.repair()
    assert found.done
    after = rt.runs.get("r-0001")
    assert (after.status, after.manifest, after.started_at) == ("succeeded", before.manifest, before.started_at)
    assert rt.runs.state("r-0001").train_step == 3
    assert rt.home.look_through() == []


@pytest.mark.parametrize("instead", ["nothing", "a file", "a link", "a pipe"])
def test_a_run_whose_folder_is_gone_is_moved_aside_and_its_number_is_not_used_again(rt: Pipeline, instead: str) -> None:
    path = folder(rt, "r-0002").path
    path.rename(rt.settings.home / "elsewhere")
    {
        "nothing": lambda: None,
        "a file": path.touch,
        "a link": lambda: path.symlink_to("../elsewhere"),
        "a pipe": lambda: os.mkfifo(path),
    }[instead]()
    assert [(run.id, run.status) for run in rt.runs.page().items] == [("r-0002", "broken"), ("r-0001", "succeeded")]
    target = rt.runs.move_aside("r-0002")
    assert [run.id for run in rt.runs.page().items] == ["r-0001"]
    assert (target / "run.json").is_file()
    assert os.path.lexists(target / "r-0002") == (instead != "nothing")
    assert rt.manifests.next_run_dir().endswith("r-0003")


def test_only_a_broken_run_is_moved_aside(rt: Pipeline) -> None:
    with pytest.raises(Conflict, match="only a broken run"):
        rt.runs.move_aside("r-0001")


def test_a_run_without_a_row_whose_manifest_cannot_be_read_is_listed_and_moved_aside(rt: Pipeline) -> None:
    new = folder(rt, "r-0007")
    new.create()
    new.write_state(RunState(RunStatus.SUCCEEDED))
    new.manifest_file.write_text("- a list")
    rt.registry.recover()
    assert rt.runs.get("r-0007").status is RunStatus.BROKEN
    assert [found.fix for found in rt.home.repair()] == ["move the run aside"]
    assert not new.path.exists()


def test_lines_that_can_be_read_are_kept_and_the_file_as_it_was_is_aside(rt: Pipeline) -> None:
    metrics = folder(rt).metrics_file
    whole = metrics.read_bytes()
    metrics.write_bytes(b"\xff\xfe\n" + whole + b'{"kind":"train","train_step":"x"}\n')
    assert rt.runs.get("r-0001").status == "succeeded", "a bad line does not break a run"
    assert len(rt.runs.metrics("r-0001")[0]) == whole.count(b"\n")
    (found,) = rt.home.repair()
    assert found.path == metrics
    assert found.reason == f"2 of {whole.count(bytes([10])) + 2} lines cannot be read"
    assert metrics.read_bytes() == whole
    assert aside(rt) == ["metrics.jsonl"]


@pytest.mark.parametrize("content", ["{", '{"tags": "one"}'])
def test_tags_and_notes_that_cannot_be_read_are_moved_aside(rt: Pipeline, content: str) -> None:
    file = folder(rt).annotations_file
    file.write_text(content)
    assert rt.runs.get("r-0001").status == "succeeded"
    (found,) = rt.home.repair()
    assert (found.path, found.run, found.done) == (file, "r-0001", True)
    assert aside(rt) == ["annotations.json"]
    assert rt.home.look_through() == []


@pytest.mark.parametrize("break_it", [lambda file: file.write_bytes(b""), lambda file: file.unlink()])
def test_an_evaluation_that_lost_its_state_is_finished_again_after_a_repair(
    rt: Pipeline, break_it: Callable[[Path], object]
) -> None:
    request = EvalRequest(scorers=("exact_match",), limit=1)
    (before,) = rt.evaluations.start("r-0001", ["tuned"], request)
    assert rt.queue.wait(30)
    before = rt.evaluations.get(before.id).record
    break_it(EvalDir.of(before).state_file)
    rt.home.repair()
    assert rt.home.look_through() == []
    after = rt.evaluations.get(before.id).record
    assert (after.status, after.metrics) == (RunStatus.SUCCEEDED, before.metrics)
    assert after.message == "state.json: the file is missing. The answers and the summary are there."
    assert rt.evaluations.start("r-0001", ["tuned"], request) == [after], "there is nothing to make again"
    (again,) = rt.evaluations.start("r-0001", ["tuned"], request, again=True)
    assert rt.queue.wait(30)
    again = rt.evaluations.get(again.id).record
    assert (again.status, again.message) == (RunStatus.SUCCEEDED, "")


def test_the_homes_own_files_and_permissions_are_looked_at(rt: Pipeline) -> None:
    home = rt.settings
    home.seen_file.write_text("[")
    home.eval_sets_dir.write_text("not a folder")
    home.token_file.write_text("x\n")
    home.token_file.chmod(0o600)
    (home.home / ".check.json.999999999.tmp").touch()
    home.home.chmod(0o755)
    found = {each.path.name: each for each in rt.home.repair()}
    assert all(each.done for each in found.values())
    assert set(found) == {"seen.json", "eval-sets", "token", ".check.json.999999999.tmp", "home"}
    assert home.home.stat().st_mode & 0o777 == 0o700
    assert aside(rt) == ["eval-sets", "seen.json", "token"]
    assert rt.home.look_through() == []


def test_the_command_reports_and_repairs_and_its_exit_code_says_what_is_left(rt: Pipeline) -> None:
    folder(rt).state_file.write_bytes(b"")
    home = rt.settings.home
    listed = tunixrt("runs", "list", home=home)
    assert (listed.returncode, "r-0002" in listed.stdout) == (0, True)
    assert "r-0001 is broken" in listed.stderr
    shown = tunixrt("runs", "show", "r-0001", home=home)
    assert shown.returncode == 0
    assert "state.json: is empty" in shown.stderr
    report = tunixrt("doctor", "home", home=home)
    assert (report.returncode, "rebuild it" in report.stdout) == (1, True)
    assert tunixrt("doctor", "home", "--repair", home=home).returncode == 0
    assert "No problem" in tunixrt("doctor", "home", home=home).stdout
    folder(rt).state_file.write_bytes(b"")
    assert tunixrt("runs", "aside", "r-0001", home=home).returncode == 0
    assert "r-0001" not in tunixrt("runs", "list", home=home).stdout
