"""One value, one task, however often pages ask; pages never wait for a long one."""

from __future__ import annotations

import threading

import pytest

from app.ui import background
from app.ui.background import ask
from tunixrt_core.errors import ModelError
from tunixrt_core.util.tasks import Progress, Tasks, Work


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Tasks[str]:
    monkeypatch.setattr(background, "PATIENCE", 0.01)
    return Tasks("value", at_once=1)


class Slow:
    """Work that waits to be let go, and notes when it was begun."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []

    def __call__(self, name: str) -> Work[str]:
        def work(on_progress: Progress, stop: threading.Event) -> str:
            self.begun.append(name)
            self.go.wait(30)
            return name

        return work


def test_asked_twice_it_is_computed_once_and_kept(tasks: Tasks[str]) -> None:
    slow = Slow()
    task = ask(tasks, "a", slow("a"))
    assert not task.over
    assert ask(tasks, "a", slow("a")).id == task.id
    slow.go.set()
    assert tasks.wait(task.id, 30).value() == "a"
    assert ask(tasks, "a", slow("a")).id == task.id
    tasks.forget("a")
    assert ask(tasks, "a", slow("a")).id != task.id


def test_one_that_waits_gives_way_to_a_newer_one(tasks: Tasks[str]) -> None:
    slow = Slow()
    ids = [ask(tasks, name, slow(name)).id for name in ("first", "second", "third")]
    assert [tasks.get(id).status for id in ids] == ["running", "stopped", "waiting"]
    slow.go.set()
    assert tasks.wait(ids[2], 30).value() == "third"
    assert slow.begun == ["first", "third"]
    again = ask(tasks, "second", slow("second"))
    assert tasks.wait(again.id, 30).value() == "second"


def test_an_error_is_kept_for_who_asks(tasks: Tasks[str]) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> str:
        raise ModelError("It is broken.")

    task = tasks.wait(ask(tasks, "broken", work).id, 30)
    assert ask(tasks, "broken", work).id == task.id
    with pytest.raises(ModelError, match="broken"):
        task.value()
