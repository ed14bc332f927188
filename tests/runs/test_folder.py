"""The folder of a run: state of a dead process, lines from an offset, checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.errors import NotFound, OutputError
from tunixrt_core.runs.folder import RunDir, find_run_dirs
from tunixrt_core.runs.metrics import TrainMetric, to_line
from tunixrt_core.runs.record import RunState, RunStatus

LINE = to_line(TrainMetric(train_step=1))
DEAD = "999999999:1:gone"


def test_a_run_whose_process_died_reads_as_interrupted(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.write_state(RunState(RunStatus.RUNNING, train_step=3, owner=DEAD))
    assert folder.state().status is RunStatus.INTERRUPTED
    assert folder.state().train_step == 3


def test_a_finished_run_stays_finished_after_its_process(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.write_state(RunState(RunStatus.SUCCEEDED, owner=DEAD))
    assert folder.state().status is RunStatus.SUCCEEDED


def test_a_folder_without_a_state_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        RunDir(tmp_path).state()


def test_metrics_are_read_from_where_the_last_read_ended(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    lines = [to_line(TrainMetric(train_step=i)) for i in range(3)]
    folder.metrics_file.write_bytes(lines[0] + lines[1])
    records, cursor = folder.metrics()
    assert [r.train_step for r in records] == [0, 1]
    with folder.metrics_file.open("ab") as handle:
        handle.write(lines[2])
    records, cursor = folder.metrics(cursor)
    assert [r.train_step for r in records] == [2]
    assert folder.metrics(cursor) == ([], cursor)


def test_a_half_written_line_is_left_for_the_next_read(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.metrics_file.write_bytes(LINE + LINE[:-1])
    records, cursor = folder.metrics()
    assert (len(records), cursor) == (1, len(LINE))


def test_a_cursor_beyond_a_file_that_was_cut_begins_again(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.metrics_file.write_bytes(LINE)
    assert len(folder.metrics(since=10_000)[0]) == 1


def test_a_cursor_inside_a_line_of_a_file_that_was_written_anew_begins_again(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.metrics_file.write_bytes(2 * LINE)
    assert [record.train_step for record in folder.metrics(since=len(LINE) + 2)[0]] == [1, 1]


def test_a_run_without_metrics_or_log_or_result_reads_as_empty(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    assert folder.metrics() == ([], 0)
    assert folder.log_tail() == ""
    assert folder.result() is None


def test_the_tail_of_a_long_log_is_its_last_lines(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.log_file.write_text("\n".join(f"line {i}" for i in range(100_000)))
    assert folder.log_tail(2) == "line 99998\nline 99999"


def test_an_output_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/run cannot be written"):
        RunDir(tmp_path / "file" / "run").create()


def test_run_folders_are_found_by_their_state(tmp_path: Path) -> None:
    RunDir(tmp_path / "r-1").create()
    RunDir(tmp_path / "r-2").create()
    RunDir(tmp_path / "r-2").write_state(RunState())
    assert [folder.path.name for folder in find_run_dirs(tmp_path)] == ["r-2"]
    assert list(find_run_dirs(tmp_path / "none")) == []


def test_a_checkpoint_is_named_by_last_best_or_its_train_step(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    with pytest.raises(NotFound, match="There are none"):
        folder.checkpoint("best")
    for step in (5, 10):
        (folder.checkpoints / str(step)).mkdir(parents=True)
    folder.best_file.write_text('{"train_step": 5}')
    assert folder.checkpoint("last") == folder.checkpoints
    assert folder.checkpoint("best") == folder.checkpoint("5") == folder.checkpoints / "5"
    with pytest.raises(NotFound, match="There are 5, 10"):
        folder.checkpoint("7")
