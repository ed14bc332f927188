"""How long a run will take is told by runs of the same kind on the same device, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.training.estimates.pace import Pace, pace_for


def made(
    tmp_path: Path, name: str, *, steps: int = 100, seconds: float = 0.5, device: str = "CPU", **change: Any
) -> Run:
    """A run whose train steps took `seconds` each after 20 s of loading and compiling."""
    folder = RunDir(tmp_path / name)
    folder.create()
    data = manifest(tmp_path).to_dict()
    data.update(change)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=steps, device=device))
    long = {f"part {n}": 1.0 for n in range(40)}
    records = [{"kind": "train", "train_step": i, "time": 20 + seconds * i, "parts": long} for i in range(1, steps + 1)]
    folder.metrics_file.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return Run(name, name, RunStatus.SUCCEEDED, data, str(folder.path), datetime(2026, 1, 1, tzinfo=UTC))


def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=50)


@pytest.mark.parametrize("steps", [20, 100, 5000])
def test_it_counts_the_beginning_once_and_every_train_step(tmp_path: Path, steps: int) -> None:
    found = pace_for(manifest(tmp_path), [made(tmp_path, "r-0001", steps=steps)], "CPU")
    assert found is not None
    assert (found.run_id, found.start_seconds, found.step_seconds) == ("r-0001", pytest.approx(20), pytest.approx(0.5))
    assert found.seconds(1000) == pytest.approx(520)


def test_the_first_that_tells_is_taken(tmp_path: Path) -> None:
    runs = [made(tmp_path, "r-0003", steps=5), made(tmp_path, "r-0002", seconds=2), made(tmp_path, "r-0001")]
    assert pace_for(manifest(tmp_path), runs, "CPU") == Pace("r-0002", pytest.approx(20), pytest.approx(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"max_seq_length": 64}, {"batch": {"size": 99}}, {"model": {"id": "other"}}])
def test_a_run_of_another_kind_tells_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    assert pace_for(manifest(tmp_path), [made(tmp_path, "r-0001", **change)], "CPU") is None


def test_a_run_on_another_device_or_without_its_folder_tells_nothing(tmp_path: Path) -> None:
    gone = made(tmp_path, "r-0002")
    Path(gone.directory).rename(tmp_path / "elsewhere")
    assert pace_for(manifest(tmp_path), [made(tmp_path, "r-0001", device="TPU v5e"), gone], "CPU") is None


def test_another_learning_rate_is_the_same_kind(tmp_path: Path) -> None:
    run = made(tmp_path, "r-0001", optimizer={"learning_rate": 1e-5}, seed=9)
    assert pace_for(manifest(tmp_path), [run], "CPU") is not None
