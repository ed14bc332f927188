"""Every file of the home is counted once, under its part; emptying the cache takes nothing else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tunixrt_core.errors import OutputError, Stopped
from tunixrt_core.home.disk import empty_compile_cache, measure
from tunixrt_core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})


def put(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_every_part_has_its_bytes(settings: Settings) -> None:
    home = settings.home
    put(home / "tunixrt.db", 100)
    put(home / "tunixrt.db-wal", 10)
    put(home / "runs" / "r-0001" / "checkpoints" / "40" / "weights", 1_000)
    put(home / "models" / "tiny" / "model", 2_000)
    put(home / "datasets" / "a.jsonl", 300)
    put(home / "compiled" / "one", 4_000)
    put(home / "logs" / "server.log", 5)
    put(home / "token", 7)
    (home / "runs" / "link").symlink_to(home / "models")
    found = measure(settings)
    link = (home / "runs" / "link").lstat().st_size
    assert found.bytes == {
        "database": 110,
        "runs": 1_000 + link,
        "models": 2_000,
        "datasets": 300,
        "compile cache": 4_000,
        "logs": 5,
        "other": 7,
    }
    assert found.files == 9
    assert found.total == sum(found.bytes.values())


def test_a_database_elsewhere_counts_too_and_one_on_a_server_does_not(settings: Settings, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere.db", 50)
    environ = {"TUNIXRT_HOME": str(settings.home)}
    lite = Settings.from_env({**environ, "TUNIXRT_DATABASE_URL": f"sqlite:///{tmp_path / 'elsewhere.db'}"})
    assert measure(lite).bytes["database"] == 50
    there = Settings.from_env({**environ, "TUNIXRT_DATABASE_URL": "postgresql://db/rt"})
    assert measure(there).bytes["database"] == 0


def test_a_home_that_is_not_there_holds_nothing(settings: Settings) -> None:
    assert measure(settings).total == 0


def test_measuring_can_be_stopped(settings: Settings) -> None:
    for number in range(1_000):
        put(settings.runs_dir / str(number), 1)
    stop = threading.Event()
    stop.set()
    told: list[int] = []
    with pytest.raises(Stopped):
        measure(settings, lambda phase, done, total: told.append(done), stop)
    assert told == [1_000]


def test_the_compile_cache_is_emptied_and_nothing_else(settings: Settings) -> None:
    put(settings.compiled_dir / "deep" / "one", 4_000)
    put(settings.models_dir / "tiny", 10)
    assert empty_compile_cache(settings) == 4_000
    assert sorted(path.name for path in settings.home.rglob("*")) == ["compiled", "models", "tiny"]
    assert empty_compile_cache(settings) == 0


def test_a_cache_that_cannot_be_moved_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings.compiled_dir / "one", 1)

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="cannot be emptied"):
        empty_compile_cache(settings)
