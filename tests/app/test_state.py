"""One Pipeline a process: the one that was set, or one opened from the environment at the first question."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import state
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    state.set_pipeline(None)
    yield
    state.set_pipeline(None)


def test_the_pipeline_that_was_set_is_the_one_in_use(tmp_path: Path) -> None:
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "a-home")})) as pipeline:
        state.set_pipeline(pipeline)
        assert state.get_pipeline() is pipeline


def test_without_one_it_is_opened_from_the_environment_and_kept() -> None:
    with state.get_pipeline() as pipeline:
        assert str(pipeline.settings.home) == os.environ["TUNIXRT_HOME"]
        assert state.get_pipeline() is pipeline


def test_many_that_ask_at_once_get_the_same_one() -> None:
    found: list[Pipeline] = []
    askers = [threading.Thread(target=lambda: found.append(state.get_pipeline())) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    found[0].close()


def test_a_wrong_environment_is_told_and_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNIXRT_PORT", "http")
    with pytest.raises(InvalidSettings, match="TUNIXRT_PORT"):
        state.get_pipeline()
    monkeypatch.delenv("TUNIXRT_PORT")
    state.get_pipeline().close()
