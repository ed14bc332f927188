"""A full and a read-only disk at each operation: a sentence, nothing lost, nothing twice, and a clean next start."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import state
from app.api.application import build_api
from tests.helpers.command import tunixrt
from tests.helpers.machines.home_operations import do, open_home_with
from tests.helpers.machines.small_disk import SmallDisk, small_disk
from tunixrt_core.errors import TunixRTError
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus

RUN = "r-0001"
FULL = r"disk of .* is full: .* MB are free\. Make room and try again: .*checkpoints"
READ_ONLY = r"disk of .* is read-only\. Mount it for writing"
# each operation with its words, and the bytes that are free when it begins: it gets some way
OPERATIONS: dict[str, tuple[dict[str, Any], int]] = {
    "import": ({"n": 400, "seed": 5}, 64 << 10),
    "delete": ({"hashes": []}, 0),
    "build": ({"name": "other"}, 0),
    "export": ({"name": "a", "version": 1}, 0),
    "start": ({"name": "a", "version": 1, "steps": 4, "request": "again"}, 0),
    "resume": ({"run": RUN, "steps": 9}, 0),
    "evaluate": ({"run": RUN}, 0),
    "export_model": ({"run": RUN}, 0),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with traces, a version and a run."""
    home = tmp_path_factory.mktemp("made") / "home"
    with open_home_with(home, "fake") as rt:
        do(rt, "import", n=40, seed=0)
        do(rt, "build", name="a")
        do(rt, "start", name="a", version=1, steps=3, request="first")
        do(rt, "import", n=4, seed=1)
    return home


@pytest.fixture
def disk(tmp_path: Path, made: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as found:
        shutil.copytree(made, found.path / "home")
        with open_home_with(found.path / "home", "fake"):
            pass  # a copied home is one that was moved: its runs are those of the new place
        shutil.rmtree(found.path / "home" / "datasets")
        shutil.copytree(made / "datasets", found.path / "home" / "datasets")
        yield found


def words_of(operation: str, rt: Pipeline) -> dict[str, Any]:
    words = dict(OPERATIONS[operation][0])
    if operation == "delete":
        words["hashes"] = [rt.traces.page(limit=1).items[0].id]
    return words


def said(rt: Pipeline, work: Callable[[], object]) -> str:
    """The sentence of an operation that fails: raised, or the message of the run, evaluation or export that failed."""
    try:
        work()
    except TunixRTError as error:
        return str(error)
    except AssertionError as error:  # an export that did not succeed
        return str(error)
    runs = [rt.runs.state(run.id) for run in rt.runs.page().items]
    found = [run.refused or run.message for run in runs] + [each.message for each in rt.evaluations.records()]
    return "\n".join(filter(None, found))


def facts(rt: Pipeline) -> dict[str, Any]:
    """What an operation that failed must leave as it was."""
    run = rt.runs.state(RUN)
    return {
        "traces": rt.traces.count(),
        "versions": [(each.name, each.version, each.content_hash) for each in rt.datasets.versions()],
        "run": (run.status, run.train_step, len(rt.runs.metrics(RUN)[0])),
        "exports": [each.folder for each in rt.model_exports.of_run(RUN)],
        "unbroken": rt.runs.problems(RUN),
        "database": rt.store.check().problems,
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_full_disk_is_a_sentence_and_after_making_room_everything_works(operation: str, disk: SmallDisk) -> None:
    home = disk.path / "home"
    with open_home_with(home, "fake") as rt:
        before, words = facts(rt), words_of(operation, rt)
        if operation == "export":
            shutil.rmtree(rt.settings.exports_dir)
        disk.fill(OPERATIONS[operation][1])
        sentence = said(rt, lambda: do(rt, operation, **words))
        if sentence:  # over pages that the database has a change of few bytes needs no room
            assert re.search(FULL, sentence), sentence
        else:
            assert operation in ("delete", "build")
        disk.make_room()
        if sentence:
            assert facts(rt) == before
    with open_home_with(home, "fake") as rt:
        do(rt, operation, **words)
        check_done(rt, operation, before)


def test_every_command_on_a_read_only_disk_is_a_sentence_and_changes_nothing(disk: SmallDisk, tmp_path: Path) -> None:
    home = disk.path / "home"
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(b'{"question": "1 + 1?", "answer": "#### 2"}\n')
    with open_home_with(home, "fake") as rt:
        before, manifest = facts(rt), rt.runs.folder(RUN).manifest_file
        other = tmp_path / "manifest.yaml"
        other.write_text(manifest.read_text().replace(RUN, "r-0002"))
    with disk.read_only():
        for words in (
            ("ingest", rows),
            ("dataset", "build", "more"),
            ("export", "a"),
            ("runs", "list"),
            ("train", other),
            ("evaluate", RUN),
            ("export-model", RUN),
            ("db", "check"),
        ):
            done = tunixrt(*words, home=home)
            assert done.returncode == 1, (words, done.stdout)
            assert re.search(READ_ONLY, done.stderr) or "tunix-rt[tunix]" in done.stderr, (words, done.stderr)
    with open_home_with(home, "fake") as rt:
        assert facts(rt) == before
        assert rt.home.look_through() == []
        do(rt, "start", name="a", version=1, steps=2, request="after")


def check_done(rt: Pipeline, operation: str, before: dict[str, Any]) -> None:
    after = facts(rt)
    assert (after["unbroken"], after["database"]) == ([], ())
    assert (
        after["traces"] - before["traces"] == {"import": 396, "delete": -1}.get(operation, 0) or operation == "import"
    )
    assert len(rt.runs.page().items) == (2 if operation == "start" else 1)
    assert all(run.status is RunStatus.SUCCEEDED for run in rt.runs.page().items)
    assert rt.home.look_through() == []


def test_the_command_and_the_api_say_it_too(disk: SmallDisk, tmp_path: Path) -> None:
    home = disk.path / "home"
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(b"".join(b'{"question": "%d?", "answer": "#### %d"}\n' % (n, n) for n in range(3_000)))
    with open_home_with(home, "fake") as rt, TestClient(build_api(10)) as api:
        disk.fill()
        state.set_pipeline(rt)
        try:
            answer = api.post("/traces/batch", content=rows.read_bytes(), headers={"content-type": "text/csv"})
        finally:
            state.set_pipeline(None)
        assert answer.status_code in (503, 507)
        assert re.search(FULL, answer.json()["error"]["message"])
        assert rt.traces.count() == 44
    done = tunixrt("ingest", rows, home=home)
    assert done.returncode == 1
    assert re.search(FULL, done.stderr), done.stderr
    disk.make_room()
    assert tunixrt("ingest", rows, home=home).returncode == 0
