"""Folders of runs for a registry."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.makers import make_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState

DEAD = "999999999:1:gone"


def run_folder(tmp_path: Path, name: str, state: RunState) -> RunDir:
    folder = RunDir(tmp_path / "runs" / name)
    folder.create()
    folder.manifest_file.write_text(make_manifest(tmp_path, train_steps=1).to_yaml())
    folder.write_state(state)
    return folder
