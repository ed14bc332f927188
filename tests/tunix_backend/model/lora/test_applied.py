"""LoRA of one traced pass is what qwix applies operation by operation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.helpers.machines import forked
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.adapted import apply_lora, arrays, widened, write_adapted
from tests.tunix_backend.helpers.families import KINDS, write_checkpoint
from tests.tunix_backend.train.test_mesh import devices
from tunixrt_core.manifest.manifest import RunManifest

pytestmark = pytest.mark.tunix

NF4 = {"method": "qlora", "quantization": "nf4", "tile_size": 8}
INT8 = {**NF4, "quantization": "int8"}
METHODS: dict[str, dict[str, Any]] = {"lora": {"method": "lora"}, "nf4": NF4, "int8": INT8}
KEPT = {("qwen3", "lora", "bfloat16"), ("gemma3_text", "nf4", "float32")}


def manifest_of(folder: Path, kind: str, method: str, **values: Any) -> RunManifest:
    if not (model := folder / "model").exists():
        write_checkpoint(model, kind)
    return make_manifest(folder, model=str(model), **{"seed": 11, "lora_rank": 4, **METHODS[method], **values})


@pytest.mark.parametrize(
    ("kind", "method", "dtype"),
    cases([(kind, method, dtype) for kind in KINDS for method in METHODS for dtype in ("float32", "bfloat16")], KEPT),
)
def test_values_and_attributes_are_those_of_qwix_bit_for_bit(
    tmp_path: Path, models_dir: Path, kind: str, method: str, dtype: str
) -> None:
    manifest = manifest_of(tmp_path, kind, method, dtype=dtype)
    (expected, _), (found, _) = (apply_lora(manifest, models_dir, by_qwix=way) for way in (True, False))
    ours, theirs = arrays(found), arrays(expected)
    assert list(ours) == list(theirs)
    for path, value in theirs.items():
        assert (ours[path].dtype, ours[path].shape) == (value.dtype, value.shape), path
        assert ours[path].tobytes() == value.tobytes(), path
    assert described(found) == described(expected)


@pytest.mark.parametrize(
    ("kind", "method", "remat"),
    cases(
        [(kind, method, remat) for kind in KINDS for method in METHODS for remat in ("block", "decoder")],
        {("qwen3", "nf4", "block"), ("gemma3_text", "lora", "decoder")},
    ),
)
def test_a_model_that_recomputes_layers_gets_the_same_and_still_does(
    tmp_path: Path, models_dir: Path, kind: str, method: str, remat: str
) -> None:
    plain, recomputing = (
        apply_lora(manifest_of(tmp_path, kind, method, **more), models_dir)[0] for more in ({}, {"remat": remat})
    )
    expected, found = arrays(plain), arrays(recomputing)
    assert list(found) == list(expected)
    assert all(found[path].tobytes() == value.tobytes() for path, value in expected.items())
    assert remat_of(recomputing) == {remat.upper()}
    assert remat_of(plain) == {"NONE"}


def remat_of(model: Any) -> set[str]:
    """What the modules of a model say that they recompute."""
    from flax import nnx

    modules = [module for _, module in nnx.iter_modules(model)]
    said = [*modules, *(module.config for module in modules if hasattr(module, "config"))]
    return {one.remat_config.name for one in said if hasattr(one, "remat_config")}


def described(model: Any) -> dict[Any, Any]:
    """What qwix and Flax note of a model beside its arrays."""
    from flax import nnx

    plain = (str, int, float, tuple, type(None))
    notes = {
        (*path, name): value
        for path, module in nnx.iter_modules(model)
        for name, value in vars(module).items()
        if isinstance(value, plain)
    }
    return notes | {path: leaf.get_metadata() for path, leaf in nnx.to_flat_state(nnx.state(model))}


def test_another_seed_draws_other_weights(tmp_path: Path, models_dir: Path) -> None:
    manifest = manifest_of(tmp_path, "qwen3", "lora")
    one, other = (
        arrays(apply_lora(manifest.model_copy(update={"seed": seed}), models_dir)[0]) for seed in (1, 2**31 + 5)
    )
    same = {path for path in one if one[path].tobytes() == other[path].tobytes()}
    assert {path for path in one if path.endswith("_lora_a")} == set(one) - same


def test_a_program_is_compiled_for_each_shape_of_lora_not_for_each_layer(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.train.reporting.compiles import CompileCounter

    manifest = manifest_of(tmp_path, "qwen3", "lora", lora_rank=5)  # as in no other test: nothing is compiled already
    with CompileCounter("_draw") as drawn:
        model, _ = apply_lora(manifest, models_dir, seen=(counted := Compilations()))
    shapes = {value.shape for path, value in arrays(model).items() if path.endswith("_lora_a")}
    assert drawn.count == len(shapes) == 3
    assert counted.number <= len(shapes) + 3  # the key too


class Compilations:
    """Counts all compilations of this process while it is entered."""

    number = 0

    def __enter__(self) -> None:
        import jax

        jax.monitoring.register_event_duration_secs_listener(self._count)

    def __exit__(self, *error: object) -> None:
        import jax

        jax.monitoring.unregister_event_duration_listener(self._count)

    def _count(self, event: str, _: float, **__: Any) -> None:
        self.number += event == "/jax/core/compile/backend_compile_duration"


def test_a_mesh_holds_the_values_of_one_device_where_the_model_declares_them(tmp_path: Path, models_dir: Path) -> None:
    meshes: list[dict[str, Any]] = [{"mesh_fsdp": 4, "mesh_tp": 2}, {"mesh_fsdp": 2, "mesh_tp": 2}]
    asked = list(zip(("lora", "nf4"), meshes, strict=True))
    manifests = [manifest_of(tmp_path, "qwen3", method, **mesh) for method, mesh in asked]
    log = tmp_path / "log"
    process = forked.start(write_adapted, manifests, models_dir, tmp_path, log=log, XLA_FLAGS=devices(8))
    assert forked.end(process, within=250) == 0, log.read_text()[-2000:]
    for i, (method, _) in enumerate(asked):
        expected = widened(apply_lora(manifest_of(tmp_path, "qwen3", method), models_dir)[0])
        found = np.load(tmp_path / f"{i}.npz")
        assert set(found) == set(expected)
        assert all(np.array_equal(found[name], value) for name, value in expected.items())
