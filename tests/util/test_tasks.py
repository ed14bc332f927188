"""Work in the background tells its progress and its end, runs once per key, waits for its turn, and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tunixrt_core.errors import JobFailed, NotFound, OutputError, ShuttingDown, Stopped
from tunixrt_core.util.tasks import Progress, Tasks


@pytest.fixture
def tasks() -> Iterator[Tasks[int]]:
    opened: Tasks[int] = Tasks("build")
    yield opened
    opened.close(10)


@pytest.fixture
def queued() -> Iterator[Tasks[int]]:
    opened: Tasks[int] = Tasks("import", at_once=1)
    yield opened
    opened.close(10)


def until_stopped(on_progress: Progress, stop: threading.Event) -> int:
    on_progress("screening", 250, 1_000)
    assert stop.wait(30)
    raise Stopped("No row was kept.")


def test_a_task_tells_its_progress_and_its_result(tasks: Tasks[int]) -> None:
    go, told = threading.Event(), threading.Event()

    def work(on_progress: Progress, stop: threading.Event) -> int:
        on_progress("traces", 3, 10)
        told.set()
        go.wait(10)
        return 7

    begun = tasks.start(work, kind="check", title="mine")
    assert told.wait(10)
    task = tasks.get(begun.id)
    assert (task.id, task.kind, task.title, task.status) == ("b-0001", "check", "mine", "running")
    assert (task.phase, task.done, task.total, task.share, task.over) == ("traces", 3, 10, 0.3, False)
    assert task.seconds_left == pytest.approx(task.seconds * 7 / 3, rel=0.5)
    go.set()
    ended = tasks.wait(begun.id, 10)
    assert (ended.status, ended.value(), ended.message) == ("succeeded", 7, "")
    assert 0 < ended.seconds == ended.seconds


def test_the_same_key_under_way_is_given_back_until_it_is_stopped(tasks: Tasks[int]) -> None:
    first = tasks.start(until_stopped, key="this")
    assert tasks.start(until_stopped, key="this").id == first.id
    assert tasks.start(until_stopped, key="that").id != first.id
    assert tasks.start(until_stopped).id != tasks.start(until_stopped).id
    assert tasks.stop(first.id).stopping or tasks.get(first.id).over
    again = tasks.start(until_stopped, key="this")
    assert again.id != first.id
    last = tasks.last("this")
    assert last is not None
    assert last.id == again.id


def test_a_task_that_is_stopped_says_so_and_stays_so(tasks: Tasks[int]) -> None:
    task = tasks.start(until_stopped)
    tasks.stop(task.id)
    ended = tasks.wait(task.id, 10)
    assert (ended.status, ended.message) == ("stopped", "No row was kept.")
    assert tasks.stop(task.id) == ended
    with pytest.raises(Stopped):
        ended.value()


def test_one_that_waits_for_its_turn_is_stopped_before_it_begins(queued: Tasks[int]) -> None:
    begun: list[str] = []

    def work(on_progress: Progress, stop: threading.Event) -> int:
        begun.append("third")
        return 3

    first, second, third = queued.start(until_stopped), queued.start(until_stopped), queued.start(work)
    waiting = queued.get(second.id)
    assert (waiting.status, waiting.seconds, waiting.over) == ("waiting", 0.0, False)
    dropped = queued.stop(second.id)
    assert (dropped.status, dropped.message) == ("stopped", "Stopped before it began.")
    assert begun == []
    queued.stop(first.id)
    assert queued.wait(third.id, 10).value() == 3
    assert queued.get(second.id) == dropped


def test_an_error_is_its_sentence_and_is_raised_for_who_asks(tasks: Tasks[int]) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> int:
        raise OutputError("The disk is full.")

    ended = tasks.wait(tasks.start(work).id, 10)
    assert (ended.status, ended.message) == ("failed", "The disk is full.")
    with pytest.raises(OutputError):
        ended.value()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_leaves_no_task_that_seems_to_run(tasks: Tasks[int]) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> int:
        raise KeyError("bug")

    ended = tasks.wait(tasks.start(work).id, 10)
    for thread in threading.enumerate():  # the bug is told after the end of the task
        if thread.name.startswith("tunixrt-build"):
            thread.join(10)
    assert (ended.status, type(ended.error)) == ("failed", JobFailed)
    assert "server's log" in ended.message


def test_old_ones_are_forgotten_and_so_are_those_of_a_key(tasks: Tasks[int]) -> None:
    few: Tasks[int] = Tasks("build", keep=2)
    for number in range(4):
        few.wait(few.start(lambda on_progress, stop: 1, key=number).id, 10)
    assert [task.key for task in few.all()] == [3, 2]
    few.forget(3)
    assert (few.last(3), few.find("b-0004")) == (None, None)
    with pytest.raises(NotFound, match="no build 'b-0001'"):
        few.get("b-0001")


def test_the_end_stops_everything_and_nothing_begins_after_it(queued: Tasks[int]) -> None:
    running, waiting = queued.start(until_stopped), queued.start(until_stopped)
    queued.close(10)
    assert queued.get(running.id).status == queued.get(waiting.id).status == "stopped"
    with pytest.raises(ShuttingDown):
        queued.start(until_stopped)
