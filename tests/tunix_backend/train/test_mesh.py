"""Several devices and several processes train as one device does."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import LONG, QUICK_COMPILE
from tests.helpers.machines import forked
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.helpers.mesh_run import write_losses
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.tunix_backend.model.files.checkpoints import checkpoint_steps

pytestmark = [pytest.mark.tunix, pytest.mark.slow, pytest.mark.timeout(600)]

STEPS = 4
MESHES = {"one": {"fsdp": 1, "tp": 1}, "given": {"fsdp": 4, "tp": 2}, "open": {"fsdp": 8, "tp": 1}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manifest_of(folder: Path, method: str, steps: int = STEPS, **mesh: int) -> RunManifest:
    if not (model := folder / "model").exists():
        # the built-in ones are too large for so little, or cannot be divided; a second layer is divided as the first is
        write_checkpoint(model, "qwen3", num_hidden_layers=1)
    return make_manifest(
        folder, model=str(model), method=method, lora_rank=4, packing=True, max_seq_length=192, batch_size=8,
        train_steps=steps, eval_every=2, checkpoint_every=2, learning_rate=1e-3, schedule="constant", **mesh,
    )  # fmt: skip


def devices(number: int) -> str:
    """The variable that makes a host of a new process seem to have this many devices."""
    return f"{QUICK_COMPILE} --xla_force_host_platform_device_count={number}"


def train_together(folder: Path, manifest: RunManifest, *options: str) -> None:
    for code, said in started_together(folder, manifest, *options):
        assert code == 0, said[-3000:]


def started_together(folder: Path, manifest: RunManifest, *options: str) -> list[tuple[int, str]]:
    """`tunixrt train` in two processes of two devices each, as on two machines: exit codes, and what they say."""
    (folder / "manifest.yaml").write_text(manifest.to_yaml())
    arguments = [str(folder / "manifest.yaml"), "--processes", "2", *options]
    arguments += ["--coordinator", f"127.0.0.1:{free_port()}", "--process-index"]
    environ = {"TUNIXRT_HOME": str(folder / "home"), "XLA_FLAGS": devices(2)}
    logs = [folder / f"log-{i}" for i in range(2)]
    started = [forked.start(forked.tunixrt_train, *arguments, str(i), log=log, **environ) for i, log in enumerate(logs)]
    try:
        codes = [forked.end(process, within=200) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(code, log.read_text()) for code, log in zip(codes, logs, strict=True)]


@pytest.fixture(scope="module", params=["lora", pytest.param("full", marks=LONG)])
def losses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_dir: Path
) -> tuple[str, dict[str, Any]]:
    """The method, and what one process with eight devices reported on each of MESHES."""
    folder = tmp_path_factory.mktemp("meshes")
    asked: dict[str, dict[str, int]] = {"one": {"mesh_fsdp": 1}, "given": {"mesh_fsdp": 4, "mesh_tp": 2}, "open": {}}
    manifests = {name: manifest_of(folder / name, request.param, **mesh) for name, mesh in asked.items()}
    target, log = folder / "losses.json", folder / "log"
    process = forked.start(write_losses, manifests, models_dir, target, log=log, XLA_FLAGS=devices(8))
    assert forked.end(process, within=550) == 0, log.read_text()[-2000:]
    return request.param, json.loads(target.read_text())


def assert_same(found: Any, expected: Any) -> None:
    for kind in ("train", "eval"):
        assert found[kind].keys() == expected[kind].keys()
        for step, loss in expected[kind].items():
            assert found[kind][step] == pytest.approx(loss, abs=1e-5), f"{kind} loss at train step {step}"
    for step, parts in expected["parts"].items():
        assert found["parts"][step] == pytest.approx(parts, abs=1e-4)


def test_a_mesh_of_eight_devices_gives_the_losses_of_one(losses: tuple[str, dict[str, Any]]) -> None:
    _, found = losses
    assert {name: each["mesh"] for name, each in found.items()} == MESHES
    assert [found[name]["device"] for name in MESHES] == ["CPU", "CPU x 8", "CPU x 8"]
    for name in ("given", "open"):
        assert_same(found[name], found["one"])


def test_two_processes_give_the_losses_of_one_device_and_one_of_them_reports(
    losses: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    method, expected = losses
    # half of it, then the rest from the checkpoint that both wrote together
    train_together(tmp_path, manifest_of(tmp_path, method, steps=2))
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [2]
    train_together(tmp_path, manifest_of(tmp_path, method), "--resume")
    folder = RunDir(tmp_path / "run")
    assert folder.state().plan["restored_train_step"] == 2
    assert folder.state().plan["mesh"] == {"fsdp": 4, "tp": 1}
    assert folder.state().processes == 2
    records = folder.metrics()[0]
    of = {kind: [(str(r.train_step), r) for r in records if r.kind == kind] for kind in ("train", "eval")}
    assert [step for step, _ in of["train"]] == [str(i) for i in range(1, STEPS + 1)]
    found = {kind: {step: r.loss for step, r in of[kind]} for kind in of}
    assert_same({**found, "parts": {step: r.parts for step, r in of["train"]}}, expected["one"])


def test_what_one_process_refuses_no_process_begins(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "lora")
    (tmp_path / "rows.jsonl").write_text("{}")
    codes, errors = zip(*started_together(tmp_path, manifest), strict=True)
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
