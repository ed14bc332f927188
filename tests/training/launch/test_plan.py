"""A launch is checked by the table of slices before anything is written, and its arithmetic adds up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.ahead.test_costs import report
from tests.training.launch.conftest import WISHES, Plan
from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.errors import InvalidInput, InvalidSlice
from tunixrt_core.training.launch.order import resource_name
from tunixrt_core.training.launch.plan import Wishes, plan


@pytest.mark.parametrize("engine", WISHES)
def test_chips_hosts_mesh_and_cost_are_those_of_the_slice(planned: Plan, engine: str) -> None:
    found = planned(engine, "v5litepod-16", price=1.5, hours=4).to_dict()
    assert (found["slice"], found["chips"], found["hosts"], found["devices"]) == ("v5e-16", 16, 4, 16)
    assert (found["topology"], found["mesh"]) == ("4x4", [16, 1])
    assert (found["per_hour"], found["total"]) == (24.0, 96.0)
    assert found["name"] == "dial-v2"
    assert found["file"].startswith(f"dial-v2.{engine}.")
    again = "three times by itself" if engine in ("gke", "kuberay") else "when you start it again"
    assert f"The run is resumed {again}." in " ".join(found["notes"])


def test_the_report_of_the_compiled_steps_gives_the_least_cost(tmp_path: Path) -> None:
    compiled = replace(report(), train_steps=3600)
    manifest = make_manifest(tmp_path, batch_size=4)
    wishes = Wishes(zone="us-east5-b", price=2.0)
    found = plan(tmp_path / "run.yaml", manifest, "v6e-4", "gcloud", wishes, compiled=compiled).to_dict()
    assert compiled.chip_hours
    assert found["least"] == pytest.approx(2.0 * compiled.chip_hours)
    assert found["compiled"]["sentence"].startswith("On v6e-4: fits, 19% of 32 GB")
    assert not any("tunixrt memory" in note for note in found["notes"])


def test_without_a_price_no_cost_is_invented(planned: Plan) -> None:
    found = planned("gke", "v6e-8", hours=4)
    assert (found.per_hour, found.total) == (None, None)


@pytest.mark.parametrize("engine", WISHES)
def test_a_slice_that_is_none_is_refused_with_those_that_are(planned: Plan, engine: str) -> None:
    with pytest.raises(InvalidSlice, match="v6e-1, v6e-4, v6e-8"):
        planned(engine, "v6e-7")


@pytest.mark.parametrize(
    ("engine", "on", "changes", "words"),
    [
        ("gcloud", "v5e-16", {"shared": None}, "4 hosts, which write checkpoints together"),
        ("skypilot", "v5e-16", {"shared": "runs"}, "no NFS export. Write it as SERVER:/PATH"),
        ("gcloud", "v5e-4", {"zone": None}, "--zone: missing"),
        ("gcloud", "7x-8", {}, "Use --with gke"),
        ("skypilot", "7x-8", {}, "Use --with gke"),
        ("gke", "v5e-4", {"image": None}, "--image: missing"),
        ("gke", "v5e-4", {"shared": None}, "--shared: missing"),
        ("kuberay", "v5e-4", {"image": None}, "--image: missing. .* EXTRA=tpu,ray"),
        ("kuberay", "v5e-4", {"shared": None}, "--shared: missing"),
        ("gke", "v5e-4", {"hyper": {"mesh_fsdp": 4, "mesh_tp": 2}}, "mesh: 8 devices, and v5e-4 has 4"),
        ("gke", "v5e-4", {"hyper": {"mesh_fsdp": 4, "batch_size": 6}}, "6 rows do not divide over mesh.fsdp 4"),
    ],
)
def test_what_cannot_run_is_refused_with_what_to_do(
    planned: Plan, engine: str, on: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        planned(engine, on, **changes)


def test_idle_devices_and_a_spot_slice_without_a_shared_folder_are_said(planned: Plan) -> None:
    notes = " ".join(planned("gcloud", "v5e-8", {"batch_size": 2}, spot=True, shared=None).notes)
    assert "leaves 6 of 8 devices idle" in notes
    assert "keep the run in --shared" in notes
    assert "never run" in notes


@pytest.mark.parametrize(
    ("name", "label"),
    [("Dial, v2", "dial-v2"), ("7b", "run-7b"), ("ä", "run"), ("x" * 60, "x" * 40), ("a_b--c", "a-b-c")],
)
def test_a_name_becomes_one_that_the_clouds_take(name: str, label: str) -> None:
    assert resource_name(name) == label
