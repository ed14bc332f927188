"""Several devices and several processes train as one device does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import QUICK_COMPILE, REPOSITORY
from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.runs.record import RunDir
from tunixrt_core.tunix_backend.model.checkpoints import checkpoint_steps

pytestmark = [pytest.mark.tunix, pytest.mark.slow]

STEPS = 6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_manifest(folder: Path, method: str, steps: int = STEPS, **mesh: int) -> Path:
    manifest = make_manifest(
        folder, model="tiny", method=method, lora_rank=4, packing=True, max_seq_length=192, batch_size=8,
        train_steps=steps, eval_every=3, checkpoint_every=3, learning_rate=1e-3, schedule="constant", **mesh,
    )  # fmt: skip
    file = folder / "manifest.yaml"
    file.write_text(manifest.to_yaml())
    return file


def run(manifest: Path, models_dir: Path, devices: int) -> dict[str, Any]:
    """What a single process reported that trained on so many forced host devices."""
    command = [
        sys.executable,
        "-m",
        "tests.tunix_backend.helpers.mesh_run",
        str(manifest),
        str(models_dir),
        str(devices),
    ]
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def train_together(manifest: Path, home: Path, *options: str) -> None:
    for code, errors in started_together(manifest, home, *options):
        assert code == 0, errors[-3000:]


def started_together(manifest: Path, home: Path, *options: str) -> list[tuple[int, str]]:
    """`tunixrt train` in two processes of two devices each, as on two machines: exit codes, and what they say."""
    environ = {
        **os.environ, "JAX_PLATFORMS": "cpu", "TUNIXRT_HOME": str(home),
        "XLA_FLAGS": f"{QUICK_COMPILE} --xla_force_host_platform_device_count=2",
    }  # fmt: skip
    command = [sys.executable, "-m", "tunixrt_core", "train", str(manifest), "--processes", "2", *options]
    command += ["--coordinator", f"127.0.0.1:{free_port()}", "--process-index"]
    started = [
        subprocess.Popen([*command, str(i)], cwd=REPOSITORY, env=environ, stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    try:
        said = [process.communicate(timeout=200)[1] for process in started]
        return [(process.returncode, errors) for process, errors in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()


@pytest.fixture(scope="module", params=["full", "lora"])
def one_device(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> tuple[str, Any]:
    folder = tmp_path_factory.mktemp(f"one-{request.param}")
    reports = run(write_manifest(folder, request.param), models_dir, 1)
    return request.param, reports


def assert_same(found: Any, expected: Any) -> None:
    for kind in ("train", "eval"):
        assert found[kind].keys() == expected[kind].keys()
        for step, loss in expected[kind].items():
            assert found[kind][step] == pytest.approx(loss, abs=1e-5), f"{kind} loss at train step {step}"
    for step, parts in expected["parts"].items():
        assert found["parts"][step] == pytest.approx(parts, abs=1e-4)


def test_a_mesh_of_eight_devices_gives_the_losses_of_one(
    one_device: tuple[str, Any], tmp_path: Path, models_dir: Path
) -> None:
    method, expected = one_device
    found = run(write_manifest(tmp_path, method, mesh_fsdp=4, mesh_tp=2), models_dir, 8)
    assert found["plan"]["mesh"] == {"fsdp": 4, "tp": 2}
    assert_same(found, expected)


def test_two_processes_give_the_losses_of_one_device_and_one_of_them_reports(
    one_device: tuple[str, Any], tmp_path: Path, models_dir: Path
) -> None:
    method, expected = one_device
    # half of it, then the rest from the checkpoint that both wrote together
    train_together(write_manifest(tmp_path, method, steps=3), tmp_path / "home")
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [3]
    train_together(write_manifest(tmp_path, method), tmp_path / "home", "--resume")
    folder = RunDir(tmp_path / "run")
    assert folder.state().plan["restored_train_step"] == 3
    assert folder.state().plan["mesh"] == {"fsdp": 4, "tp": 1}
    records = folder.metrics()[0]
    of = {kind: [(str(r["train_step"]), r) for r in records if r["kind"] == kind] for kind in ("train", "eval")}
    assert [step for step, _ in of["train"]] == [str(i) for i in range(1, STEPS + 1)]
    found = {kind: {step: r["loss"] for step, r in of[kind]} for kind in of}
    assert_same({**found, "parts": {step: r["parts"] for step, r in of["train"]}}, expected)


def test_what_one_process_refuses_no_process_begins(tmp_path: Path, models_dir: Path) -> None:
    manifest = write_manifest(tmp_path, "lora")
    (tmp_path / "rows.jsonl").write_text("{}")
    codes, errors = zip(*started_together(manifest, tmp_path / "home"), strict=True)
    assert codes == (1, 1)
    assert "rows.jsonl" in errors[0]
    assert "Another process refused the run before it began" in errors[1]


def test_each_process_feeds_its_own_rows_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax

    from tunixrt_core.tunix_backend.train.step.feeding import own_rows
    from tunixrt_core.tunix_backend.train.step.loss import ModelBatch

    whole = ModelBatch(*(np.arange(8 * 4).reshape(8, 4) + i for i in range(4)), np.float32(3))
    fed = []
    for index in range(4):
        monkeypatch.setattr(jax, "process_count", lambda: 4)
        monkeypatch.setattr(jax, "process_index", lambda index=index: index)
        fed.append(own_rows(whole))
    assert all(batch.tokens.shape == (2, 4) for batch in fed)
    for name in ("tokens", "segments", "positions", "parts"):
        assert np.array_equal(np.concatenate([getattr(batch, name) for batch in fed]), getattr(whole, name))
    assert [batch.norm for batch in fed] == [3] * 4
