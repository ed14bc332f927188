"""Several processes of the command need a cluster, or their other calls, and the sentence says both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidInput, InvalidSettings
from tunixrt_core.pipeline.elsewhere import elsewhere
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.settings import Settings


def test_without_a_cluster_the_command_trains_in_one_process(tmp_path: Path) -> None:
    here = Foreground(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")}))
    with pytest.raises(InvalidInput, match=r"^--processes 2: .*--coordinator and --process-index.*TUNIXRT_EXECUTOR"):
        here.use_cluster(2)
    here.use_cluster(1)
    folder = RunDir(tmp_path / "run")
    here.prepare(make_manifest(tmp_path, train_steps=2), folder, resume=False)
    assert not folder.queued_file.exists(), "it trains here"


def test_an_index_needs_processes_and_the_address_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(make_manifest(tmp_path, train_steps=2).to_yaml())
    for options in (("--process-index", 1), ("--processes", 2, "--process-index", 1)):
        refused = tunixrt("train", file, *options, home=tmp_path / "home")
        assert (refused.returncode, "with --coordinator" in refused.stderr) == (2, True)


def test_a_run_that_waits_for_a_cluster_can_be_queued_again_and_one_of_this_process_cannot(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=2)
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home"), "TUNIXRT_EXECUTOR": "ray://127.0.0.1:1"})
    for name, processes in (("here", None), ("one", 1), ("several", 2)):
        here, folder = Foreground(settings), RunDir(tmp_path / name)
        if processes:
            here.use_cluster(processes)
        here.prepare(manifest, folder, resume=False)
        assert (folder.queued_file.exists(), folder.state().processes) == (processes is not None, processes or 1)


def test_a_cluster_is_refused_before_anything_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    with pytest.raises(InvalidSettings, match="is not the address of a Ray cluster"):
        elsewhere(settings, "http://127.0.0.1:1")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(InvalidSettings, match="RAY_AUTH_MODE=token"):
        elsewhere(settings, "ray://127.0.0.1:1")
