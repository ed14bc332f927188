"""Numbers, times and states read the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.ui import words
from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunState, RunStatus


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.whole(48212), "48,212"),
        (words.whole(None), "–"),
        (words.plural(1, "trace"), "1 trace"),
        (words.plural(1200, "trace"), "1,200 traces"),
        (words.plural(2, "entry", "entries"), "2 entries"),
        (words.decimals(0.81249), "0.812"),
        (words.decimals(float("nan")), "nan"),
        (words.decimals(None), "–"),
        (words.percent(0.472), "47.2%"),
        (words.points(0.068), "+6.8 points"),
        (words.points(-0.068), "−6.8 points"),
        (words.p_value(0.0004), "below 0.001"),
        (words.p_value(0.0321), "0.032"),
        (words.rate(2e-4), "2e-4"),
        (words.rate(1.25e-3), "1.25e-3"),
        (words.rate(0.0), "0"),
        (words.rate(None), "–"),
        (words.size(512), "512 bytes"),
        (words.size(11_200_000_000), "11.2 GB"),
        (words.size(3.1e12), "3.1 TB"),
        (words.duration(41), "41 s"),
        (words.duration(28 * 60), "28 min"),
        (words.duration(65 * 60), "1 h 05 min"),
        (words.duration(None), "–"),
        (words.moment(None), "–"),
        (words.moment(datetime(2026, 11, 3, 16, 40, tzinfo=UTC), UTC), "3 Nov 2026, 16:40"),
        (words.short_hash("9f31c0de" + "0" * 52 + "a7b1"), "9f31c0de…a7b1"),
        (words.short_hash("short"), "short"),
        (words.one_line("a\n b\t c"), "a b c"),
        (words.one_line("x" * 200, 10), "xxxxxxxxx…"),
    ],
)
def test_a_value_is_shown_as_people_write_it(shown: str, expected: str) -> None:
    assert shown == expected


def test_every_status_has_a_word() -> None:
    assert set(words.STATE_WORDS) == set(RunStatus)


def test_progress_names_phase_step_share_and_time() -> None:
    state = RunState(RunStatus.RUNNING, phase="training", train_step=612, total_train_steps=1200, started_at=100.0)
    line = words.progress_line(state, now=100.0 + 28 * 60, seconds_left=26 * 60)
    assert line == "Training · train step 612 of 1,200 · 51% · 28 min elapsed · about 26 min left"


def test_time_left_is_not_promised_before_training_or_after_the_end() -> None:
    compiling = RunState(RunStatus.COMPILING, phase="compiling", total_train_steps=1200, started_at=0.0)
    assert "left" not in words.progress_line(compiling, 10.0, 99.0)
    over = RunState(RunStatus.FAILED, train_step=58, total_train_steps=1200, started_at=0.0, ended_at=30.0)
    assert words.progress_line(over, 1e6, 99.0) == "Failed · train step 58 of 1,200 · 5% · 30 s elapsed"


@pytest.mark.parametrize(
    ("status", "state", "line"),
    [
        ("queued", EvalState(), "waiting for the device"),
        ("loading", EvalState(phase="loading", total=60), "loading"),
        ("compiling", EvalState(phase="compiling", total=60), "compiling: the device waits"),
        ("running", EvalState(phase="generating", done=16, total=60), "answered 16 of 60 prompts"),
        ("running", EvalState(phase="compiling", done=32, total=60), "answered 32 of 60 prompts, compiling: the dev"),
        ("running", EvalState(phase="scoring", total=60), "scoring"),
        ("stopped", EvalState(phase="generating", done=16, total=60), "stopped"),
    ],
)
def test_an_evaluation_tells_what_it_is_doing(status: str, state: EvalState, line: str) -> None:
    now = datetime.now(UTC)
    record = EvalRecord("e", "r-0001", "tuned", RunStatus(status), "/evals", now, train_step=40)
    assert words.evaluation_line(record, state).startswith(f"Tuned model, train step 40: {line}")
    base = EvalRecord("e", "r-0001", "base", RunStatus(status), "/evals", now)
    assert words.evaluation_line(base, state).startswith(f"Base model: {line}")


def test_a_run_that_is_over_has_no_time_left() -> None:
    state = RunState(RunStatus.INTERRUPTED, phase="training", train_step=112, total_train_steps=200, started_at=0.0)
    assert "left" not in words.progress_line(state, 90.0, 59.0)
    running = RunState(RunStatus.RUNNING, phase="training", train_step=112, total_train_steps=200, started_at=0.0)
    assert "about 59 s left" in words.progress_line(running, 90.0, 59.0)


def test_the_time_before_a_resume_counts() -> None:
    assert words.elapsed(RunState(started_at=10.0, ended_at=20.0, earlier_seconds=90.0), 0.0) == 100.0


@pytest.mark.parametrize(
    ("lengths", "compiled", "said"),
    [
        ([512], [], ""),
        ([128, 256, 512], [], "row length 1 of 3"),
        ([128, 256, 512], [512], "row length 2 of 3"),
        ([128, 256, 512], [512, 128], "row length 3 of 3 (256 tokens)"),
        ([128, 256, 512], [512, 128, 256], ""),
    ],
)
def test_the_progress_says_which_row_length_is_compiled(lengths: list[int], compiled: list[int], said: str) -> None:
    assert words.compile_words(lengths, compiled) == said


def test_a_folder_of_the_user_is_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert words.place(tmp_path / ".tunixrt") == "~/.tunixrt"
    assert words.place(Path("/srv/traces")) == "/srv/traces"
