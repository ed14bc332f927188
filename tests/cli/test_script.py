"""`tunixrt manifest script` beside `tunixrt manifest`, which stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt, tunixrt_process
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rows import to_row
from tunixrt_core.tunix_backend.availability import is_tunix_available


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest file, written by the command."""
    rows = "".join(json.dumps(to_row(trace, "train")) + "\n" for trace in example_traces(4))
    (tmp_path / "rows.jsonl").write_text(rows)
    path = tmp_path / "m.yaml"
    options = ("--data", tmp_path / "rows.jsonl", "--model", "tiny-micro", "-o", path)
    assert tunixrt("manifest", *options, home=tmp_path / "home").returncode == 0
    assert load_manifest(path).data.train_rows == 4
    return path


@pytest.mark.tunix
def test_a_script_and_a_notebook_are_written(manifest: Path, tmp_path: Path) -> None:
    files = ("-o", tmp_path / "t.py", "--notebook", tmp_path / "t.ipynb")
    done = tunixrt_process("manifest", "script", manifest, *files, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    compile((tmp_path / "t.py").read_text(), "t.py", "exec")
    cells = json.loads((tmp_path / "t.ipynb").read_text())["cells"]
    assert "".join("".join(cell["source"]) for cell in cells) == (tmp_path / "t.py").read_text()
    done = tunixrt_process("manifest", "script", manifest, "-o", tmp_path / "none" / "t.py", home=tmp_path / "home")
    assert (done.returncode, "cannot be written" in done.stderr) == (1, True)


@pytest.mark.skipif(is_tunix_available(), reason="says what happens where Tunix is not installed")
def test_a_built_in_model_needs_tunix_to_be_written(manifest: Path, tmp_path: Path) -> None:
    done = tunixrt_process("manifest", "script", manifest, "-o", tmp_path / "t.py", home=tmp_path / "home")
    assert (done.returncode, "pip install" in done.stderr) == (1, True)


def test_rows_that_changed_since_the_manifest_are_refused(manifest: Path, tmp_path: Path) -> None:
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write("\n")
    done = tunixrt_process("manifest", "script", manifest, "-o", tmp_path / "t.py", home=tmp_path / "home")
    assert (done.returncode, "has changed" in " ".join(done.stderr.split())) == (1, True)
    assert not (tmp_path / "t.py").exists()


def test_a_manifest_still_needs_its_data(tmp_path: Path) -> None:
    done = tunixrt("manifest", home=tmp_path)
    assert done.returncode == 2
    assert "--dataset or --data" in " ".join(done.stderr.split())
