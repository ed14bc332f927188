"""A run on a terminal: the newest numbers, a line for what happens, and the figures at its end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.runs import RunDisplay, event_line, numbers_line, show_comparison, show_summary
from tunixrt_core.evaluation.reports.run_summary import RunSummary, summarise
from tunixrt_core.jobs.kinds.trainings import show_waiting
from tunixrt_core.manifest.variants import Difference
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import (
    Alert,
    CheckpointMetric,
    CompileMetric,
    EvalMetric,
    Metric,
    OtherMetric,
    SamplesMetric,
    TrainMetric,
    to_line,
)
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.execution import execute_training, run_folder_of
from tunixrt_core.training.stop import StopRequest

TRAIN = TrainMetric(
    train_step=2,
    loss=1.5,
    learning_rate=2e-4,
    tokens_per_second=900.0,
    step_seconds=0.5,
    input_wait_seconds=0.05,
    padding_share=0.12,
    memory_bytes=11_200_000_000,
    mfu=None,
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    for name in ("out", "err"):
        monkeypatch.setattr(
            terminal, name, Console(file=text, width=200, highlight=False, markup=False, soft_wrap=True)
        )
    return text


def test_the_newest_numbers_stand_in_one_line_without_what_was_not_measured() -> None:
    assert numbers_line(TRAIN, EvalMetric(train_step=2, loss=1.25)) == (
        "loss 1.500 · eval loss 1.250 · lr 0.0002 · 900 tokens/s · 0.5 s per train step · 10% waiting for rows · "
        "12% padding · 11.20 GB"
    )
    assert numbers_line(None, None) == ""
    assert numbers_line(TrainMetric(train_step=2, loss=float("nan")), None) == ""


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (EvalMetric(train_step=50, loss=1.25, best=True), "train step 50: eval loss 1.250 (the best so far)"),
        (
            SamplesMetric(train_step=50, rows=4, exact_match=0.25, format_valid=1.0, mean_tokens=37.5),
            "train step 50: of 4 fixed prompts 25% right, 100% well formed, 38 tokens on average",
        ),
        (
            CheckpointMetric(train_step=50, reason="asked", seconds=0.5),
            "train step 50: checkpoint saved (asked, 0.5 s)",
        ),
        (
            CompileMetric(train_step=50, length=512, seconds=31.0, expected=False),
            "train step 50: compiled rows of 512 tokens in 31.0 s, for the second time",
        ),
        (
            Alert(train_step=50, alert="nan", evidence="the loss is nan", change={"learning_rate": 1e-4}),
            "train step 50: nan: the loss is nan. Try a clone with learning_rate=0.0001.",
        ),
        (OtherMetric(kind="of a later version", train_step=50), ""),
    ],
)
def test_what_happens_is_one_line(record: Metric, line: str) -> None:
    assert event_line(record) == line


def test_a_run_is_followed_from_its_folder(tmp_path: Path, shown: io.StringIO) -> None:
    folder = RunDir(tmp_path)
    with RunDisplay(folder) as display:
        folder.metrics_file.write_text(
            '{"kind":"train","train_step":2,"loss":1.5}\n{"kind":"eval","train_step":2,"loss":1.25}\n'
            '{"kind":"alert","train_step":2,"alert":"nan","evidence":"[red]","change":"Stop."}\n'
        )
        for _ in range(2):
            display.update(RunState(RunStatus.RUNNING, phase="training", train_step=1, total_train_steps=4))
        task = display._bar.tasks[0]
        assert (task.completed, task.total, task.description) == (2, 4, "training")
    assert shown.getvalue() == ("train step 2: loss 1.500 · eval loss 1.250\ntrain step 2: nan: [red]. Stop.\n"), (
        "each event once, and no bar where there is no terminal"
    )


def test_a_resume_says_where_it_continues_and_repeats_nothing_of_before(tmp_path: Path, shown: io.StringIO) -> None:
    manifest = make_manifest(tmp_path, train_steps=6)
    folder = run_folder_of(manifest, tmp_path)
    execute_training(manifest, folder, FakeBackend(), stop=StopRequest())
    old = (CheckpointMetric(train_step=3, reason="asked", seconds=1.0), EvalMetric(train_step=4, loss=1.5))
    kept, again = (b"".join(map(to_line, each)) for each in (old[:1], old[1:]))
    trained = folder.metrics_file.read_bytes().splitlines(keepends=True)
    folder.metrics_file.write_bytes(b"".join([*trained[:4], again, kept, *trained[4:]]))
    (folder.checkpoints / "last").write_text("4")  # the one of train step 6 was damaged
    longer = make_manifest(tmp_path, train_steps=8)
    show_waiting(longer, folder)
    with RunDisplay(folder) as display:
        display.update(folder.state())
        execute_training(
            longer, folder, FakeBackend(), stop=StopRequest(), on_status=lambda state: display.update(folder.state())
        )
        display.update(folder.state())
    assert shown.getvalue() == ("Continues after train step 4 of 8.\ntrain step 8: loss 0.125 · eval loss 0.125\n")


def test_the_last_figures_of_a_run_are_a_table_of_what_was_measured(tmp_path: Path, shown: io.StringIO) -> None:
    folder = RunDir(tmp_path)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=2, total_train_steps=2))
    folder.metrics_file.write_text(
        '{"kind":"train","train_step":2,"loss":1.5,"trained_tokens":4096,"time":65}\n'
        '{"kind":"eval","train_step":2,"loss":1.25,"parts":{"step 1":2.0,"answer":0.5},"time":66}\n'
    )
    show_summary(summarise(folder))
    lines = [" ".join(line.split()) for line in shown.getvalue().splitlines()]
    for line in (
        "Train loss 1.5000",
        "Best eval loss 1.2500 at train step 2",
        "Time 1 min 06 s",
        "Loss of answer 0.5000",
    ):
        assert line in lines
    assert "memory" not in shown.getvalue()


def test_runs_stand_side_by_side_with_what_differs_first(shown: io.StringIO, tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=2, total_train_steps=2))
    summary: RunSummary = summarise(folder)
    show_comparison(["a", "b"], [Difference("lora.rank", (8, None))], [summary, summary])
    text = shown.getvalue()
    assert text.index("lora.rank") < text.index("Eval loss")
    assert "null" in text
