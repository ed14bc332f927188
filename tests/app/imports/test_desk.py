"""Files on their way: one at a time, watched while they are read, and gone without a trace when cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.imports.desk import ImportDesk, desk_of
from app.imports.views import progress_words
from tests.helpers.fakes import FakeBackend
from tunixrt_core.errors import Cancelled, UnreadableFile
from tunixrt_core.ingest.report import ImportProgress, ImportReport
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})
    store = open_store(settings.database_url)
    with Pipeline(settings, store, JobManager(store.runs, FakeBackend())) as pipeline:
        yield pipeline


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """3,000 good rows and a bad one."""
    path = tmp_path / "many.jsonl"
    rows = [orjson.dumps({"prompt": f"p{n}", "steps": ["s"], "final_answer": "1"}) for n in range(3000)]
    path.write_bytes(b"\n".join([*rows, b"{broken"]))
    return path


def test_a_pipeline_has_one_desk(rt: Pipeline) -> None:
    assert desk_of(rt) is desk_of(rt)


def test_an_import_tells_how_far_it_is_and_keeps_its_rejected_rows(rt: Pipeline, path: Path) -> None:
    job = ImportDesk().start(
        "import", "many", lambda rejects, tell: rt.traces.ingest(path, rejects=rejects, on_progress=tell)
    )
    assert job.wait(30)
    report = job.result()
    assert isinstance(report, ImportReport)
    assert (report.read, report.inserted, report.rejected) == (3001, 3000, 1)
    assert job.progress is not None
    assert job.progress.read == 3001
    assert job.progress.share == 1
    assert job.rejected() == b"{broken\n"


def test_one_that_is_cancelled_leaves_nothing_behind(rt: Pipeline, path: Path) -> None:
    reached, go = threading.Event(), threading.Event()
    desk = ImportDesk()

    def work(rejects: object, tell: object) -> ImportReport:
        def watched(progress: object) -> None:
            reached.set()
            go.wait(30)
            tell(progress)  # type: ignore[operator]

        return rt.traces.ingest(path, on_progress=watched)

    job = desk.start("import", "many", work)  # type: ignore[arg-type]
    waiting = desk.start("check", "next", lambda rejects, tell: rt.traces.diagnose(path))
    assert reached.wait(30)
    assert desk.under_way() == [job, waiting]
    assert progress_words(waiting) == "waiting for its turn"
    waiting.cancel()
    job.cancel()
    assert progress_words(job) == "is being cancelled"
    go.set()
    with pytest.raises(Cancelled, match="nothing of it was stored"):
        job.wait(30) and job.result()
    with pytest.raises(Cancelled, match="before it began"):
        waiting.result()
    assert rt.traces.count() == 0
    assert desk.under_way() == []


def test_a_cancel_is_heard_when_every_row_is_read(rt: Pipeline, path: Path) -> None:
    def work(rejects: object, tell: object) -> ImportReport:
        def watched(progress: ImportProgress) -> None:
            if progress.read == 3001:  # what is left is to write
                job.cancel()
            tell(progress)  # type: ignore[operator]

        return rt.traces.ingest(path, on_progress=watched)

    started = threading.Event()
    job = ImportDesk().start("import", "many", lambda rejects, tell: started.wait(30) and work(rejects, tell))  # type: ignore[arg-type,return-value]
    started.set()
    assert job.wait(30)
    with pytest.raises(Cancelled, match="after 3,001 traces; nothing of it was stored"):
        job.result()
    assert rt.traces.count() == 0


def test_what_cannot_be_read_is_raised_where_it_is_asked_for(rt: Pipeline, tmp_path: Path) -> None:
    job = ImportDesk().start("check", "none", lambda rejects, tell: rt.traces.diagnose(tmp_path / "none"))
    assert job.wait(30)
    with pytest.raises(UnreadableFile, match="none is not there"):
        job.result()


def test_the_same_file_that_is_pressed_twice_is_read_once(rt: Pipeline, path: Path) -> None:
    go, desk = threading.Event(), ImportDesk()

    def work(rejects: object, tell: object) -> ImportReport:
        go.wait(30)
        return rt.traces.ingest(path)

    first = desk.start("import", "many", work, asked=("many", 1))
    assert desk.start("import", "many", work, asked=("many", 1)) is first
    others = [
        desk.start("check", "many", work, asked=("many", 1)),
        desk.start("import", "many", work, asked=("many", 2)),
    ]
    assert first not in others
    go.set()
    assert first.wait(30)
    assert desk.start("import", "many", work, asked=("many", 1)) is not first, "it is over, so it is asked for anew"
