"""`tunixrt runs tag`, `note` and `archive`: what the list of the dashboard does, from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.helpers.makers import make_manifest
from tunixrt_core.pipeline.pipeline import open_pipeline
from tunixrt_core.runs.annotations import Annotations, read_annotations
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With one finished run, r-0001."""
    home = tmp_path / "home"
    folder = RunDir(home / "runs" / "r-0001")
    folder.create()
    folder.manifest_file.write_text(make_manifest(tmp_path, train_steps=1).to_yaml())
    folder.write_state(RunState(RunStatus.SUCCEEDED))
    open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})).close()
    return home


def test_a_run_is_tagged_noted_and_archived_and_all_of_it_is_taken_back(home: Path) -> None:
    assert tunixrt("runs", "tag", "r-0001", "good", "to show", home=home).stdout == "r-0001  good, to show\n"
    assert tunixrt("runs", "note", "r-0001", "Longer answers.", home=home).stdout == "r-0001  note kept\n"
    assert tunixrt("runs", "archive", "r-0001", home=home).stdout == "r-0001  archived\n"
    folder = RunDir(home / "runs" / "r-0001")
    assert read_annotations(folder) == Annotations(("good", "to show"), "Longer answers.", archived=True)
    assert tunixrt("runs", "tag", "r-0001", "good", "to show", "--remove", home=home).stdout == "r-0001  no tags\n"
    assert tunixrt("runs", "note", "r-0001", "", home=home).stdout == "r-0001  note removed\n"
    assert tunixrt("runs", "archive", "r-0001", "--undo", home=home).stdout == "r-0001  not archived\n"
    assert not folder.annotations_file.exists()


def test_the_answer_as_json_is_the_run_as_it_is_listed(home: Path) -> None:
    told = json.loads(tunixrt("runs", "tag", "r-0001", "[bold]", "--json", home=home).stdout)
    assert told["tags"] == ["[bold]"]
    listed = json.loads(tunixrt("runs", "list", "--json", home=home).stdout)["runs"][0]
    assert {name: listed[name] for name in told} == told


def test_a_tag_that_cannot_be_and_a_run_that_is_not_there_are_sentences(home: Path) -> None:
    refused = tunixrt("runs", "tag", "r-0001", " ", home=home)
    assert (refused.returncode, "A tag has 1 to 80 characters" in refused.stderr) == (1, True)
    missing = tunixrt("runs", "archive", "r-0009", home=home)
    assert (missing.returncode, "r-0009" in missing.stderr) == (1, True)
