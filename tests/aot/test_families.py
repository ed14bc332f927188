"""The steps of every family and method compile for a TPU: what does not is a fault that is found without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunixrt_core.manifest.manifest import manifest_without_data
from tunixrt_core.training.ahead.costs import STEPS, SliceReport, StepKind
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler
from tunixrt_core.tunix_backend.ahead.environment import compiler_available, compiler_environ

pytestmark = [
    pytest.mark.aot,
    pytest.mark.tunix,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not compiler_available(), reason='the TPU compiler is missing: pip install "tunix-rt[aot]"'),
]

SIZES = {
    **{"num_hidden_layers": 2, "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "head_dim": 128, "vocab_size": 4096, "rms_norm_eps": 1e-6, "rope_theta": 1e6},
    **{"tie_word_embeddings": True, "query_pre_attn_scalar": 128, "sliding_window": 128},
}
OF_A_FAMILY = {
    "qwen3_moe": {"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True, "moe_intermediate_size": 256},
    "gemma4_text": {
        **{
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
        },
        **{"global_head_dim": 256, "hidden_size_per_layer_input": 64, "vocab_size_per_layer_input": 4096},
        **{"use_double_wide_mlp": True, "final_logit_softcapping": 30.0},
    },
}
FAMILIES = ("qwen3", "qwen2", "llama", "gemma2", "gemma3_text", *OF_A_FAMILY)
MESH = {"mesh_fsdp": 4, "mesh_tp": 2}


def compiled(folder: Path, kind: str, on: str, kinds: tuple[StepKind, ...] = ("train",), **hyper: Any) -> SliceReport:
    """A report of a small model of a family, in bfloat16, from 4 packed rows of 512 tokens."""
    left = {"llama": "head_dim", "gemma4_text": "rope_theta"}.get(kind)
    sizes = {name: value for name, value in SIZES.items() if name != left} | OF_A_FAMILY.get(kind, {})
    model = folder / kind
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": kind, **sizes}))
    values = {"dtype": "bfloat16", "batch_size": 4, "packing": True, "max_seq_length": 512, "tile_size": 32, **hyper}
    manifest = manifest_without_data(str(model), values)
    compiler = SliceCompiler(folder / "models", folder / "slices", machine_code=True)
    return compiler.report(manifest, find_slice(on), kinds, progress=lambda *_: None, stop=threading.Event())


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_a_train_step_compiles_over_eight_chips(tmp_path: Path, kind: str, method: str) -> None:
    found = compiled(tmp_path, kind, "v5e-8", method=method, **MESH)
    (step,) = found.steps
    assert found.fits
    assert found.mesh == (4, 2)
    assert step.flops > 0
    assert step.hbm > 0
    # layers over tp are summed, weights over fsdp gathered
    assert step.links["all-gather"] > 0
    assert step.flops < 3 * step.model_flops / 8 + 1e10
    # the compiler adds its own scratch; what all fits into VMEM takes next to nothing of HBM
    assert step.live <= step.temporary + 1_000_000
    assert step.temporary <= 1.5 * step.live + 128 * 1024**2


DEVICES = """
from tunixrt_core.training.ahead.slices import known_slices
from tunixrt_core.tunix_backend.ahead.worker import slice_devices
print(all(len(slice_devices(on)) == on.devices for on in known_slices()))
"""


def test_every_slice_has_its_devices() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEVICES], capture_output=True, text=True, env=compiler_environ(os.environ), check=False
    )
    assert done.stdout.strip().splitlines()[-1] == "True", done.stderr[-2000:]


@pytest.mark.parametrize("remat", ["block", "decoder"])
def test_a_train_step_that_recomputes_compiles(tmp_path: Path, remat: str) -> None:
    assert compiled(tmp_path, "qwen3", "v5e-8", remat=remat, method="lora", **MESH).fits


@pytest.mark.parametrize("on", ["v4-8", "v5p-8", "v6e-4", "7x-8"])
def test_every_chip_has_its_own_compiler(tmp_path: Path, on: str) -> None:
    found = compiled(tmp_path, "qwen3", on, method="lora")
    assert found.mesh == (4, 1)
    assert found.fits


def test_evaluation_and_generation_compile_too(tmp_path: Path) -> None:
    found = compiled(tmp_path, "qwen3", "v5e-8", STEPS, method="lora", **MESH)
    train, evaluation, generation = found.steps
    assert 0 < evaluation.flops < train.flops
    assert generation.tokens == 32
    assert generation.cache > 0
    assert all(found.bound(kind) is not None for kind in STEPS)


def test_what_does_not_fit_is_a_report_and_no_failure(tmp_path: Path) -> None:
    found = compiled(
        tmp_path, "qwen3", "v5e-1", method="full", batch_size=256, max_seq_length=4096, loss="plain", packing=True
    )
    assert not found.fits
    assert found.used > 1
    assert "HBM" in found.steps[0].refused.upper()


def test_a_schedule_tells_what_the_whole_program_does(tmp_path: Path) -> None:
    """The figures are known before the machine code is there."""
    (tmp_path / "config.json").write_text(json.dumps({**SIZES, "model_type": "qwen3"}))
    values = {"dtype": "bfloat16", "batch_size": 4, "packing": True, "max_seq_length": 512, "method": "lora"}
    manifest = manifest_without_data(str(tmp_path), values)
    schedule, whole = (
        SliceCompiler(tmp_path / "models", tmp_path / "slices", machine_code=code).report(
            manifest, find_slice("v5e-4"), STEPS, progress=lambda *_: None, stop=threading.Event()
        )
        for code in (False, True)
    )
    for before, after in zip(schedule.steps, whole.steps, strict=True):
        assert replace(before, seconds=0.0, temporary=0) == replace(after, seconds=0.0, temporary=0)
        # scratch of the machine code: seen 4.4 MB
        assert 0 <= after.temporary - before.temporary < 16_000_000
