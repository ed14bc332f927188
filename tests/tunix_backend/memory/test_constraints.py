"""What is compiled on a CPU host has the layouts of activations that a run on an accelerator has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import make_manifest

pytestmark = pytest.mark.tunix

SIZES = {
    "num_hidden_layers": 1,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "tie_word_embeddings": True,
    "query_pre_attn_scalar": 16,
}
FAMILIES = ["qwen3", "qwen2", "llama", "gemma2", "gemma3_text"]
KEPT = {"llama", "gemma3_text"}  # one with a function of its own, one that imports the shared one


def constraints(kind: str, folder: Path) -> tuple[int, int]:
    """How many layouts the traced train step asks for, as it is compiled, and without what is tested here."""
    import jax
    from jax.sharding import AxisType

    from tunixrt_core.tunix_backend.memory import abstract_step
    from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
    from tunixrt_core.tunix_backend.train.step.peft import compiled_step

    manifest = make_manifest(folder, method="lora", batch_size=2, lora_rank=2)
    architecture = architecture_of({"model_type": kind, **SIZES})
    mesh = jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[:1])
    with mesh:
        run = abstract_step.make_abstract(manifest, architecture, mesh, 5)
        laid_out = abstract_step.lower_train_step(run, manifest, mesh, 16)
        batch = abstract_step.abstract_batch(mesh, 2, 16)
        plain = compiled_step(run.loss, lora=True).lower(run.model, run.optimizer, batch)
    return tuple(each.as_text().count("sharding_constraint") for each in (laid_out, plain))  # type: ignore[return-value]


@pytest.mark.parametrize("kind", cases(FAMILIES, KEPT))
def test_every_family_lays_out_its_activations(tmp_path: Path, kind: str) -> None:
    laid_out, plain = constraints(kind, tmp_path)
    assert laid_out >= plain + 5  # embedding, queries, keys, values and the output of attention at least


def test_nothing_of_tunix_stays_changed() -> None:
    from tunix.models.llama3 import model
    from tunix.utils import sharding_utils

    from tunixrt_core.tunix_backend.memory.constraints import constrained

    before = model.shard, sharding_utils.shard
    with constrained():
        assert model.shard is not before[0]
        assert sharding_utils.shard is not before[1]
    assert (model.shard, sharding_utils.shard) == before


PROBE = """
import json, sys
import jax
from tunix.models.qwen3 import model
from jax.sharding import AxisType
from tunixrt_core.tunix_backend.memory.constraints import constrained

mesh = jax.make_mesh((4, 1), ("fsdp", "tp"), axis_types=(AxisType.Auto,) * 2)

def rows():
    def step(x):  # another one each time: what was traced before is kept
        return model.shard(x * 2, ("fsdp", None))

    with mesh:
        compiled = jax.jit(step).lower(jax.ShapeDtypeStruct((8, 64), "float32")).compile()
    return compiled.output_shardings.shard_shape((8, 64))[0]

plain = rows()
with constrained():
    laid_out = rows()
print(json.dumps([plain, laid_out]))
"""


def test_over_four_forced_cpu_devices_each_gets_its_rows() -> None:
    environ = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: Any = json.loads(done.stdout.strip().splitlines()[-1])
    assert found == [8, 2]
