"""Imports in progress: one at a time, watched while they are read, and gone without a trace when stopped."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.helpers.homes import fake_home
from tunixrt_core.errors import Stopped, UnreadableFile
from tunixrt_core.ingest.report import Diagnosis, ImportReport
from tunixrt_core.pipeline.pipeline import Pipeline


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home") as pipeline:
        yield pipeline


class Gated(io.BytesIO):
    """3,000 good rows and a bad one; the reading stops after `open_to` bytes until it is let go."""

    def __init__(self, open_to: int | None = None) -> None:
        rows = [orjson.dumps({"prompt": f"p{n}", "steps": ["s"], "final_answer": "1"}) for n in range(3000)]
        super().__init__(b"\n".join([*rows, b"{broken"]))
        self.open_to = open_to
        self.reached, self.go = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        if self.open_to is not None and self.tell() >= self.open_to:
            self.reached.set()
            self.go.wait(30)
        return super().read(size)


def test_an_import_tells_how_far_it_is_and_keeps_its_rejected_rows(rt: Pipeline) -> None:
    begun = rt.traces.imports.begin("import", Gated(), name="many.jsonl")
    task = rt.traces.imports.wait(begun.id, 30)
    found = task.value()
    assert isinstance(found.report, ImportReport)
    assert (found.report.read, found.report.inserted, found.report.rejected) == (3001, 3000, 1)
    assert (task.kind, task.title, task.phase, task.done, task.total) == (
        "import",
        "many.jsonl",
        "finishing",
        3001,
        3001,
    )
    assert found.rejected() == b"{broken\n"


def test_a_check_stores_nothing(rt: Pipeline) -> None:
    task = rt.traces.imports.wait(rt.traces.imports.begin("check", Gated()).id, 30)
    assert isinstance(task.value().report, Diagnosis)
    assert rt.traces.count() == 0


def test_one_that_is_stopped_leaves_nothing_behind(rt: Pipeline) -> None:
    imports, file = rt.traces.imports, Gated(open_to=1)
    begun = imports.begin("import", file, name="many.jsonl")
    waiting = imports.begin("check", Gated(), name="next")
    assert file.reached.wait(30)
    assert [(task.title, task.status) for task in imports.all()] == [("next", "waiting"), ("many.jsonl", "running")]
    assert imports.stop(waiting.id).message == "Stopped before it began."
    assert imports.stop(begun.id).stopping
    file.go.set()
    with pytest.raises(Stopped, match=r"many.jsonl was stopped after [\d,]+ traces; none of them was stored\."):
        imports.wait(begun.id, 30).value()
    assert rt.traces.count() == 0


def test_what_cannot_be_read_is_raised_where_it_is_asked_for(rt: Pipeline, tmp_path: Path) -> None:
    task = rt.traces.imports.begin("check", tmp_path / "none")
    with pytest.raises(UnreadableFile, match="none does not exist"):
        rt.traces.imports.wait(task.id, 30).value()


def test_the_same_file_that_is_pressed_twice_is_read_once(rt: Pipeline) -> None:
    imports, file = rt.traces.imports, Gated(open_to=0)
    first = imports.begin("import", file, key=("many", 1))
    assert imports.begin("import", file, key=("many", 1)).id == first.id
    others = [imports.begin("check", Gated(), key=("many", 1)), imports.begin("import", Gated(), key=("many", 2))]
    assert first.id not in {task.id for task in others}
    file.go.set()
    imports.wait(first.id, 30)
    assert imports.begin("import", Gated(), key=("many", 1)).id != first.id, "it is over, so it is read again"
