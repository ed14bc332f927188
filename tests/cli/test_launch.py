"""`tunixrt launch` writes a file or prints it, explains it beside, and starts nothing."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.training.ahead.test_costs import report
from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.training.ahead.costs import STEPS
from tunixrt_core.training.ahead.slices import find_slice


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text(make_manifest(tmp_path, name="dial", batch_size=16).to_yaml())
    return file


def test_the_document_is_on_standard_output_and_the_explanation_beside_it(manifest: Path, tmp_path: Path) -> None:
    asked = ("launch", manifest, "--on", "v5e-16", "--with", "gcloud", "--zone", "us-west4-a", "--shared", "nfs:/runs")
    done = tunixrt(*asked, "--price", 1.2, "--hours", 3, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("#!/usr/bin/env bash")
    for words in ("16 chips (4x4) on 4 hosts", "cost: 19.200 per hour, 57.600 in all", "bash dial.gcloud.sh"):
        assert words in done.stderr


def test_a_file_and_a_json_document_are_the_same_launch(manifest: Path, tmp_path: Path) -> None:
    target = tmp_path / "launch.yaml"
    asked = ("launch", manifest, "--on", "v6e-8", "--with", "GKE", "--image", "i", "--shared", "runs", "-o", target)
    done = tunixrt(*asked, "--json", home=tmp_path / "home")
    found = json.loads(done.stdout)
    assert found["document"] == target.read_text()
    assert found["file"] == str(target)
    assert f"kubectl apply -f {target}" in found["steps"]


@pytest.mark.tunix
def test_a_run_that_does_not_fit_the_slice_is_said(manifest: Path, tmp_path: Path) -> None:
    large = {"batch_size": 64, "max_seq_length": 65536, "loss": "plain", "attention": "reference"}
    manifest.write_text(make_manifest(tmp_path, name="dial", **large).to_yaml())
    done = tunixrt("launch", manifest, "--on", "v5e-1", "--with", "skypilot", "--json", home=tmp_path / "home")
    found = json.loads(done.stdout)
    assert not found["memory"]["fits"]
    assert any("It does not fit" in note for note in found["notes"])


@pytest.mark.tunix
def test_the_report_of_an_earlier_compilation_is_found_again(manifest: Path, tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler
    from tunixrt_core.tunix_backend.ahead.environment import versions
    from tunixrt_core.tunix_backend.model.models import local_model

    home, loaded = tmp_path / "home", load_manifest(manifest)
    compiler = SliceCompiler(home / "models", home / "slices")
    model = local_model(loaded.model.id, home / "models")
    file = compiler._file(loaded, model, find_slice("v6e-4"), STEPS)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asdict(report(versions=versions(), train_steps=36_000))))
    asked = ("launch", manifest, "--on", "v6e-4", "--with", "gcloud", "--zone", "us-east5-b", "--price", 2)
    done = tunixrt(*asked, home=home)
    assert "compiled: On v6e-4: fits, 19% of 32 GB" in done.stderr
    assert re.search(r"at least [\d.]+ chip-hours, which cost [\d.]+\n", done.stderr), done.stderr


def test_an_unknown_engine_is_wrong_usage(manifest: Path, tmp_path: Path) -> None:
    done = tunixrt("launch", manifest, "--on", "v5e-1", "--with", "slurm", home=tmp_path / "home")
    assert done.returncode == 2
    assert "skypilot, gke, kuberay, gcloud" in done.stderr
