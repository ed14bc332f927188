"""Work in the background is told apart by name, runs once at a time, and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tunixrt_core.errors import Cancelled, OutputError
from tunixrt_core.util.tasks import Progress, Tasks


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    opened = Tasks()
    yield opened
    opened.close()


def test_a_task_tells_its_progress_and_its_end(tasks: Tasks) -> None:
    go, told = threading.Event(), threading.Event()

    def work(on_progress: Progress, stop: threading.Event) -> None:
        on_progress("traces", 3, 10)
        told.set()
        go.wait(10)

    tasks.start("check", work)
    assert told.wait(10)
    task = tasks.task("check")
    assert task
    assert (task.phase, task.done, task.total, task.over) == ("traces", 3, 10, False)
    # a second click starts nothing
    assert tasks.start("check", work).began_at == task.began_at
    go.set()
    ended = tasks.wait("check", 10)
    assert ended
    assert ended.status == "succeeded"


def test_a_task_is_stopped_between_two_looks(tasks: Tasks) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> None:
        assert stop.wait(10)
        raise Cancelled("stopped")

    tasks.start("check", work)
    tasks.stop("check")
    ended = tasks.wait("check", 10)
    assert ended
    assert (ended.status, ended.message) == ("stopped", "stopped")


def test_an_error_is_kept_as_its_sentence(tasks: Tasks) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> None:
        raise OutputError("The disk is full.")

    tasks.start("check", work)
    ended = tasks.wait("check", 10)
    assert ended
    assert (ended.status, ended.message) == ("failed", "The disk is full.")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_leaves_no_task_that_seems_to_run(tasks: Tasks) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> None:
        raise KeyError("bug")

    tasks.start("check", work)
    ended = tasks.wait("check", 10)
    assert ended
    assert ended.status == "failed"


def test_nothing_begins_after_the_end() -> None:
    tasks = Tasks()
    tasks.close()
    assert tasks.start("check", lambda on_progress, stop: None).over
    assert tasks.task("check") is None
