"""A home in which anything may be broken: no command and no route fails, and what is whole works on."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app import state
from app.api.application import build_api
from tests.helpers.command import tunixrt
from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import write_evaluation
from tests.pipeline.test_pipeline import open_with
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.settings import Settings

RUNS = ("r-0001", "r-0002", "r-0003")
WHOLE = "r-0002"  # never touched

Damage = Callable[[Path, random.Random], None]


def remove(path: Path, chance: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def empty(path: Path, chance: random.Random) -> None:
    if is_own_file(path):
        path.write_bytes(b"")
    elif path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            remove(inner, chance)


def cut(path: Path, chance: random.Random) -> None:
    if is_own_file(path):
        content = path.read_bytes()
        path.write_bytes(content[: chance.randrange(len(content) + 1)])


def scramble(path: Path, chance: random.Random) -> None:
    if is_own_file(path):
        content = bytearray(path.read_bytes() or b"x")
        for _ in range(chance.randrange(1, 20)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)


def other_values(path: Path, chance: random.Random) -> None:
    """What parses, and is not what belongs there."""
    if is_own_file(path):
        text = chance.choice(["null", "[]", "3", '"x"', "{}", '{"status": "unknown"}', "[1, 2", "name: 2026-99-99\n"])
        path.write_text(f"{text}\n")


def is_own_file(path: Path) -> bool:
    """Whether it may be written to: what a link leads to is not of the home, and a pipe waits for a reader."""
    return path.is_file() and not path.is_symlink()


def as_folder(path: Path, chance: random.Random) -> None:
    remove(path, chance)
    path.mkdir()


def as_file(path: Path, chance: random.Random) -> None:
    remove(path, chance)
    path.write_bytes(chance.randbytes(40))


def as_link(path: Path, chance: random.Random) -> None:
    home = next(folder for folder in path.parents if folder.name == "home")
    outside = home.with_name("outside")
    remove(path, chance)
    path.symlink_to(chance.choice(["/nonexistent", outside, outside / "file", path.name, "/dev/zero", "/proc/kmsg"]))


def as_pipe(path: Path, chance: random.Random) -> None:
    remove(path, chance)
    os.mkfifo(path)


def unreadable(path: Path, chance: random.Random) -> None:
    if not path.is_symlink():
        path.chmod(0)


DAMAGES: tuple[Damage, ...] = (
    remove,
    empty,
    cut,
    scramble,
    other_values,
    as_folder,
    as_file,
    as_link,
    as_pipe,
    unreadable,
)


def opened(home: Path) -> Pipeline:
    """A home with a trainer that takes no time."""
    return open_with(Settings.from_env({"TUNIXRT_HOME": str(home)}), FakeBackend())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three finished runs, one of them evaluated."""
    home = tmp_path_factory.mktemp("template") / "home"
    with opened(home) as rt:
        rt.traces.ingest_examples(20)
        rt.datasets.build(DatasetSpec("mine"))
        for _ in RUNS:
            run = rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 3}))
        assert rt.queue.wait(30)
        rt.evaluations.start("r-0001")
        assert rt.queue.wait(30)
        write_evaluation(RunDir(Path(run.directory)), "tuned", {"rows": 2, "exact_match": 0.5})
        rt.home.mark_seen(["x"])
        rt.home.check_store()
        rt.drafts.keep("0123456789abcdef", {"a": 1})
    return home


@pytest.fixture(scope="module")
def application() -> FastAPI:
    return build_api(1)


def places(home: Path) -> list[Path]:
    """Everything that may be damaged: files and folders of two runs, and the home's own small files; behind no link."""
    found = [home / "runs" / name for name in RUNS if name != WHOLE]
    for folder in found[:]:
        for inside, folders, files in os.walk(folder):  # follows no link, but for the first one
            if not folder.is_symlink():
                found += sorted(Path(inside, name) for name in (*folders, *files))
    return [*found, home / "seen.json", home / "check.json", home / "drafts", home / "accelerator.lock"]


def damage(home: Path, seed: int, number: int) -> list[str]:
    chance, done = random.Random(seed), []
    for _ in range(number):
        path, how = chance.choice(places(home)), chance.choice(DAMAGES)
        if os.path.lexists(path):
            how(path, chance)
            done.append(f"{how.__name__} {path.relative_to(home)}")
    return done


COMMANDS = (
    ("runs", "list"),
    ("runs", "list", "--json"),
    *(("runs", "show", name) for name in RUNS),
    ("runs", "show", "r-0001", "--json"),
    ("runs", "compare", *RUNS),
    ("runs", "tail", "r-0001"),
    ("evals", "list", "--json"),
    ("evals", "board"),
    ("dataset", "list"),
    ("doctor", "home", "--json"),
)
ROUTES = (
    "/runs",
    *(f"/runs/{name}{part}" for name in RUNS for part in ("", "/metrics", "/problems", "/evaluations", "/exports")),
    "/runs/compare?id=r-0001&id=r-0002",
    "/runs/table",
    "/runs/recent",
    "/runs/series?run=r-0001&run=r-0002&metric=loss&metric=parts&tiles=true",
    "/runs/curves.csv?id=r-0001&id=r-0002",
    "/evaluations/leaderboard",
    "/evaluations/r-0001-none",
    "/queue",
    "/diagnostics",
)


def check(home: Path, application: FastAPI) -> None:
    """Every listing and showing command and route, before a repair and after it."""
    for words in COMMANDS:
        done = tunixrt(*words, home=home)
        assert done.returncode in (0, 1, 2), (words, done.stderr)
    with opened(home) as rt, TestClient(application, raise_server_exceptions=True) as api:
        state.set_pipeline(rt)
        try:
            answers = {route: api.get(route) for route in ROUTES}
            listed = {run["id"]: run for run in answers["/runs"].json()["runs"]}
            for record in rt.evaluations.records():
                answers[record.id] = api.get(f"/evaluations/{record.id}")
            rt.home.overview()
            rt.home.attention()
            rt.home.disk_use()
        finally:
            state.set_pipeline(None)
        assert all(answer.status_code in (200, 404, 409, 422) for answer in answers.values())
        assert listed[WHOLE]["status"] == "succeeded"
        assert set(RUNS) <= set(listed)
        for run in listed.values():
            if run["status"] == "broken":
                assert str(home) in run["message"], "the file is named"
        repaired = rt.home.repair()
        assert all(each.done for each in repaired), [each for each in repaired if not each.done]
        assert all(run.status != "broken" for run in rt.runs.page(limit=50).items)
        assert not [each for each in rt.home.look_through() if each.run]
        # the queue works on
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 2}))
        assert rt.queue.wait(30)
        assert rt.runs.get(run.id).status == "succeeded"


def fuzz(seed: int, number: int, template: Path, folder: Path, application: FastAPI) -> None:
    home, outside = folder / "home", folder / "outside"
    shutil.copytree(template, home)
    outside.mkdir()
    (outside / "file").write_text("of somebody else")
    # a copied home is one that was moved: its runs are those of the new place
    with opened(home):
        pass
    done = damage(home, seed, number)
    try:
        check(home, application)
        assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("file", "of somebody else")]
    except BaseException as error:
        error.add_note(f"seed {seed}: {done}")
        raise
    finally:
        shutil.rmtree(folder)


_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


@pytest.mark.timeout(300)
@given(seed=st.integers(0, 2**32), number=st.integers(1, 4))
@settings(max_examples=6, **_SETTINGS)
def test_no_damage_of_a_few_files_ends_a_command_or_a_request(
    seed: int, number: int, template: Path, tmp_path_factory: pytest.TempPathFactory, application: FastAPI
) -> None:
    fuzz(seed, number, template, tmp_path_factory.mktemp("fuzzed"), application)


@pytest.mark.search
@pytest.mark.timeout(3600)
@given(seed=st.integers(0, 2**32), number=st.integers(1, 12))
@settings(max_examples=500, **_SETTINGS)
def test_no_damage_of_five_hundred_homes_ends_a_command_or_a_request(
    seed: int, number: int, template: Path, tmp_path_factory: pytest.TempPathFactory, application: FastAPI
) -> None:
    fuzz(seed, number, template, tmp_path_factory.mktemp("fuzzed"), application)
