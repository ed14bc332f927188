"""Faults of a run's own values, of the place it writes to and of the machine are named, with their keys."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import KeptReports, make_manifest, train, write_rows
from tests.tunix_backend.helpers.preflight_makers import CPU, ModelDir, check, long_task, of_model, only, task
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState
from tunixrt_core.traces.trace import Step
from tunixrt_core.training.preflight.report import Severity
from tunixrt_core.tunix_backend.preflight.faults.run import device_faults
from tunixrt_core.tunix_backend.preflight.machine import Machine, _holders, free_bytes, this_machine
from tunixrt_core.util.host import Gpu

pytestmark = pytest.mark.tunix


@pytest.mark.parametrize(
    ("hyper", "code", "severity", "key"),
    [
        ({"epochs": 5000}, "unusual_value", Severity.WARNING, "duration.epochs"),
        ({"weight_decay": 0.9}, "unusual_value", Severity.WARNING, "optimizer.weight_decay"),
        ({"warmup_share": 0.45}, "unusual_value", Severity.WARNING, "schedule.warmup_share"),
        ({"max_grad_norm": 500}, "unusual_value", Severity.WARNING, "optimizer.max_grad_norm"),
        ({"learning_rate": 0.5}, "unusual_value", Severity.WARNING, "optimizer.learning_rate"),
        ({"learning_rate": 1e-6}, "unusual_value", Severity.WARNING, "optimizer.learning_rate"),
        ({"mesh_tp": 2}, "mesh", Severity.BLOCKING, "mesh.tp"),
    ],
)
def test_values_that_cannot_work_or_are_unusual_are_named(
    tmp_path: Path, models_dir: Path, hyper: dict[str, Any], code: str, severity: Severity, key: str
) -> None:
    finding = only(check(make_manifest(tmp_path, **hyper), models_dir), code)
    assert finding.severity is severity
    assert key in finding.keys


def test_an_unusual_value_is_said_with_its_range_and_one_that_is_usual(tmp_path: Path, models_dir: Path) -> None:
    finding = only(check(make_manifest(tmp_path, learning_rate=0.5), models_dir), "unusual_value")
    assert finding.message == (
        "optimizer.learning_rate = 0.5 is outside of its usual range for this model and method, 0.0001 to 0.02: "
        "training tends to diverge."
    )
    assert finding.advice == "Choose a value in that range, such as 0.003."


def test_a_warm_up_that_ends_with_the_run_blocks(tmp_path: Path, models_dir: Path) -> None:
    (finding,) = check(make_manifest(tmp_path, warmup_share=0.99), models_dir).blocking
    assert (finding.code, finding.keys[0]) == ("warm_up", "schedule.warmup_share")


def test_a_batch_that_the_mesh_does_not_divide_is_named(tmp_path: Path, models_dir: Path) -> None:
    three = replace(CPU, environ={"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"})
    finding = only(check(make_manifest(tmp_path, mesh_fsdp=3), models_dir, machine=three), "mesh")
    assert (finding.severity, finding.keys) == (Severity.BLOCKING, ("batch.size", "mesh.fsdp"))
    assert check(make_manifest(tmp_path, mesh_fsdp=4), models_dir, machine=three).findings == ()
    assert check(make_manifest(tmp_path, mesh_fsdp=2), models_dir, machine=replace(CPU, processes=2)).findings == ()


@pytest.mark.parametrize(("method", "rate"), [("full", 1e-3), ("lora", 1e-2), ("qlora", 1e-6)])
def test_the_usual_rates_are_those_of_the_method(tmp_path: Path, models_dir: Path, method: str, rate: float) -> None:
    model = ModelDir(tmp_path / "model")
    assert only(
        check(of_model(tmp_path, model, method=method, learning_rate=rate, tile_size=8), models_dir), "unusual_value"
    )


# --- where it writes --------------------------------------------------------------------------------------------


def test_an_output_directory_in_use_blocks_a_new_run_and_not_a_resume(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    folder = RunDir(Path(manifest.output_dir))
    folder.create()
    assert check(manifest, models_dir).findings == ()
    folder.write_state(RunState())
    assert only(check(manifest, models_dir), "output_dir").keys == ("output_dir",)
    assert check(manifest, models_dir, is_new=False).findings == ()


def test_an_output_directory_that_cannot_be_made_is_named(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    (tmp_path / "file").write_text("")
    manifest = manifest.model_copy(update={"output_dir": str(tmp_path / "file" / "run")})
    assert only(check(manifest, models_dir), "output_dir").severity is Severity.BLOCKING


def test_too_little_disk_is_named_and_lora_needs_less(tmp_path: Path, models_dir: Path) -> None:
    small = replace(CPU, free_bytes=lambda path: 500_000)
    finding = only(check(make_manifest(tmp_path), models_dir, machine=small), "disk")
    assert (finding.severity, finding.keys) == (Severity.BLOCKING, ("cadence.keep_checkpoints", "output_dir"))
    assert "500.0 kB are free" in finding.message
    assert check(make_manifest(tmp_path, method="lora", lora_rank=1), models_dir, machine=small).blocking == ()


@pytest.mark.parametrize("method", [{"method": "full"}, {"method": "lora", "lora_rank": 4}])
def test_the_size_of_a_checkpoint_is_that_of_what_is_trained(
    tmp_path: Path, models_dir: Path, method: dict[str, Any]
) -> None:
    """The parameters counted from the files are those that a loaded model has."""
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh, resolve_model
    from tunixrt_core.tunix_backend.preflight.faults.model import read_model
    from tunixrt_core.tunix_backend.preflight.faults.run import checkpoint_bytes

    manifest = make_manifest(tmp_path, **method)
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        loaded = load_model(manifest, models_dir, mesh)
    facts = read_model(resolve_model(manifest.model.id, models_dir))
    assert checkpoint_bytes(manifest, facts) == 3 * 4 * loaded.trainable_parameters


def test_free_disk_is_asked_where_the_folder_would_be(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


# --- the device -------------------------------------------------------------------------------------------------

TPU = Machine("TPU", {}, True, (), lambda path: 1 << 40)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (replace(TPU, has_plugin=False), "tunix-rt[tpu]"),
        (replace(TPU, device="GPU", has_plugin=False), "tunix-rt[cuda]"),
        (replace(TPU, holders=("python (process 7)",)), "python (process 7)"),
        (replace(CPU, environ={"JAX_PLATFORMS": "tpu"}), "asks for a TPU, but this machine shows none"),
        (replace(TPU, environ={"JAX_PLATFORMS": "cuda,cpu"}), "asks for a GPU, but this machine shows a TPU"),
    ],
)
def test_a_device_that_is_missing_or_held_blocks(machine: Machine, said: str) -> None:
    (finding,) = device_faults(machine)
    assert (finding.code, finding.severity) == ("device", Severity.BLOCKING)
    assert said in finding.sentence


@pytest.mark.parametrize(
    "machine",
    [
        CPU,
        TPU,
        replace(CPU, environ={}),
        replace(TPU, has_plugin=False, environ={"JAX_PLATFORMS": "cpu"}),
        replace(TPU, holders=("x (process 7)",), environ={"JAX_PLATFORMS": "cpu"}),
    ],
)
def test_the_cpu_on_purpose_and_a_free_device_are_fine(machine: Machine) -> None:
    assert list(device_faults(machine)) == []


def test_who_holds_a_tpu_is_read_from_the_open_files_of_processes(tmp_path: Path) -> None:
    for pid, name, target in (
        (7, "trainer", "/dev/accel0"),
        (8, "shell", "/dev/null"),
        (os.getpid(), "me", "/dev/accel0"),
    ):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
        (tmp_path / str(pid) / "fd" / "3").symlink_to(target)
    assert list(_holders("TPU", tmp_path)) == ["trainer (process 7)"]
    assert list(_holders("GPU", tmp_path)) == []


def test_this_machine_can_be_described() -> None:
    machine = this_machine()
    assert machine.device in ("CPU", "GPU", "TPU")
    assert machine.cpu_devices >= 1


def test_a_training_does_what_the_preflight_said(tmp_path: Path, models_dir: Path) -> None:
    one_step = task(5, steps=(Step(0, "very long " * 40),))
    rows = write_rows(
        tmp_path / "rows.jsonl", [*(task(i) for i in range(8)), long_task(9, 9), long_task(10, 9), one_step], [task(99)]
    )
    values: dict[str, Any] = {"epochs": 0.9, "train_steps": None, "gradient_accumulation": 2, "batch_size": 2}
    manifest = make_manifest(tmp_path, rows=rows, too_long="drop_steps", max_seq_length=64, **values)
    totals = check(manifest, models_dir).totals
    reports = KeptReports()
    train(manifest, models_dir, reports)
    (plan,) = reports.plans
    assert totals is not None
    assert (plan["total_train_steps"], plan["train_rows"], plan["eval_rows"]) == (
        totals.train_steps,
        totals.train_rows,
        totals.eval_rows,
    )
    assert (totals.rows_left_out, totals.rows_shortened) == (1, 2)
    assert (plan["dropped_rows"], plan["shortened_rows"]) == (totals.rows_left_out, totals.rows_shortened)
    assert plan["padding_share"] == pytest.approx(totals.padding_share, abs=1e-3)
    assert tuple(plan["row_lengths"]) == totals.batch_lengths
    assert plan["tokens_per_epoch"] == totals.tokens
    assert plan["trained_tokens_per_epoch"] == totals.trained_tokens


# --- memory -----------------------------------------------------------------------------------------------------


def test_a_train_step_that_does_not_fit_is_named_with_what_would_help(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    fits = check(manifest, models_dir)
    assert "memory" in fits.passed
    assert fits.memory is not None
    assert fits.memory.report.row_length < manifest.max_seq_length
    finding = only(check(manifest, models_dir, machine=replace(CPU, host_bytes=fits.memory.need // 2)), "memory")
    assert finding.severity is Severity.WARNING
    assert "remat=decoder" in finding.advice or "gradient_accumulation=2" in finding.advice


def test_the_memory_of_a_tpu_is_known_where_its_host_says_its_kind(tmp_path: Path, models_dir: Path) -> None:
    def need(kind: str | None) -> Any:
        environ = {"TPU_ACCELERATOR_TYPE": kind} if kind else {}
        return check(make_manifest(tmp_path), models_dir, machine=Machine("TPU", environ, True, (), CPU.free_bytes))

    eight = need("v5litepod-8").memory
    assert (eight.where, eight.limit, eight.report.devices) == ("v5e", 16_000_000_000, 8)
    assert need("v4-8").memory.report.devices == 4  # cores are counted there
    for unknown in (None, "v99-8"):
        found = need(unknown)
        assert found.memory is None
        assert "memory" not in found.checked


def test_of_the_memory_of_a_gpu_the_share_counts_that_jax_takes(tmp_path: Path, models_dir: Path) -> None:
    def need(environ: dict[str, str], *memory: int) -> Any:
        cards = tuple(Gpu("NVIDIA H100 80GB HBM3", each) for each in memory)
        machine = Machine("GPU", environ, True, (), CPU.free_bytes, gpus=cards)
        return check(make_manifest(tmp_path), models_dir, machine=machine).memory

    found = need({}, 80 << 30, 60 << 30)
    assert (found.limit, found.report.devices) == (45 << 30, 2)
    assert found.where == "NVIDIA H100 80GB HBM3, of which JAX takes 75%"
    assert need({"XLA_CLIENT_MEM_FRACTION": "0.5"}, 80 << 30).limit == 40 << 30
    assert need({}) is None  # the driver told nothing
    assert need({"JAX_PLATFORMS": "cpu"}, 80 << 30).where == "this machine"
