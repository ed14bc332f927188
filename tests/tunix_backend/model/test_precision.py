"""Trained weights are held in float32, whatever the model computes in, so that no update is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import KeptReports, make_manifest, train
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check
from tests.tunix_backend.model.test_models import load, logits

pytestmark = pytest.mark.tunix

FILE = "model.safetensors"
BFLOAT16 = {"dtype": "bfloat16"}
HELD_IN_BFLOAT16 = {**BFLOAT16, "trained_dtype": "bfloat16"}


def types_of(model: Any, kind: Any) -> set[str]:
    import jax
    from flax import nnx

    found = {str(leaf.dtype) for leaf in jax.tree.leaves(nnx.state(model, kind))}
    return {each for each in found if "float" in each}  # not the counts of train steps


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose matrices have the standard deviation of real ones, 0.02."""
    from safetensors.numpy import load_file, save_file

    model = ModelDir(tmp_path_factory.mktemp("usual") / "model").path
    held = load_file(model / FILE)
    spread = {name: (0.02 / value.std() if value.ndim > 1 else 1) for name, value in held.items()}
    save_file({name: (value * spread[name]).astype(value.dtype) for name, value in held.items()}, model / FILE)
    return model


def test_full_training_in_bfloat16_learns_what_it_learns_in_float32(
    tmp_path: Path, models_dir: Path, usual: Path
) -> None:
    """At the rate of the preset for full training."""

    def fall(**hyper: Any) -> float:
        manifest = make_manifest(
            tmp_path / "-".join(hyper.values()), model=str(usual), method="full", learning_rate=1e-5, batch_size=4,
            packing=False, schedule="constant", warmup_share=0.0, train_steps=100, eval_every=100, checkpoint_every=100,
            **hyper,
        )  # fmt: skip
        reports = KeptReports()
        train(manifest, models_dir, reports)
        evals = reports.of("eval")
        return float(evals[0] - evals[100])

    wanted = fall()
    assert wanted > 0.04
    assert fall(**BFLOAT16) == pytest.approx(wanted, rel=0.05)
    assert fall(**HELD_IN_BFLOAT16) < 0.3 * wanted


def test_the_preflight_says_how_many_weights_would_not_move(tmp_path: Path, models_dir: Path, usual: Path) -> None:
    from tunixrt_core.tunix_backend.model.files.values import share_of_lost_updates

    for rate in (1e-6, 1e-5, 1e-4):
        assert share_of_lost_updates(usual, rate) == pytest.approx(unmoved(usual, rate), abs=0.02)

    def said(**hyper: Any) -> list[str]:
        manifest = make_manifest(tmp_path, model=str(usual), **{"method": "full", "learning_rate": 1e-5, **hyper})
        return [found.message for found in check(manifest, models_dir).findings if found.code == "updates_lost"]

    (message,) = said(**HELD_IN_BFLOAT16)
    told = float(message.partition("last place of ")[2].partition("%")[0])
    assert told == pytest.approx(100 * unmoved(usual, 1e-5), abs=2)
    assert "decays by 0.001 a train step" in message
    assert said(**BFLOAT16) == said(trained_dtype="bfloat16") == said(**HELD_IN_BFLOAT16, method="lora") == []


def unmoved(directory: Path, rate: float) -> float:
    """The share of the weights that stay where they are when the rate is added in bfloat16."""
    from ml_dtypes import bfloat16
    from safetensors.numpy import load_file

    held = np.concatenate([value.ravel() for value in load_file(directory / FILE).values()]).astype(bfloat16)
    return float(np.mean(held + np.copysign(bfloat16(rate), held) == held))


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_lora_and_its_moments_are_float32_beside_weights_of_the_model_s_type(
    tmp_path: Path, models_dir: Path, method: str
) -> None:
    from flax import nnx

    from tunixrt_core.tunix_backend.memory.abstract_step import with_optimizer

    manifest = make_manifest(tmp_path, method=method, tile_size=8, **HELD_IN_BFLOAT16)
    model = load(manifest, models_dir, trains=True).model
    assert types_of(model, nnx.LoRAParam) == {"float32"}
    assert "bfloat16" in types_of(model, nnx.Param)
    assert types_of(with_optimizer(model, manifest), nnx.optimizer.OptState) == {"float32"}
    assert "float32" not in types_of(load(manifest, models_dir, trains=False).model, nnx.Param)


def test_moments_of_full_training_have_the_type_of_its_weights(tmp_path: Path, models_dir: Path) -> None:
    from flax import nnx

    from tunixrt_core.tunix_backend.memory.abstract_step import with_optimizer

    for hyper, kept in ((BFLOAT16, "float32"), (HELD_IN_BFLOAT16, "bfloat16")):
        manifest = make_manifest(tmp_path, **hyper)
        model = load(manifest, models_dir, trains=True).model
        assert types_of(model, nnx.Param) == {kept}
        assert types_of(with_optimizer(model, manifest), nnx.optimizer.OptState) == {kept}


def test_a_model_that_is_held_in_what_it_computes_in_is_left_as_it_is(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.model.precision import computing

    for hyper in ({}, HELD_IN_BFLOAT16):
        found = load(make_manifest(tmp_path, **hyper), models_dir, trains=True)
        assert computing(found.model, found.dtype) is found.model


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_was_held_in_bfloat16_goes_on_in_float32_and_answers_as_it_was_trained(
    tmp_path: Path, models_dir: Path, method: str
) -> None:
    from flax import nnx
    from tunix.sft.checkpoint_manager import CheckpointManager

    from tunixrt_core.tunix_backend.model.files.checkpoints import restore_weights
    from tunixrt_core.tunix_backend.model.precision import computing

    lora = method == "lora"
    manifest = make_manifest(tmp_path, method=method, lora_rank=4, **BFLOAT16)
    before = load(manifest, models_dir).model  # all in bfloat16, as runs were
    assert "float32" not in types_of(before, nnx.Param)
    manager = CheckpointManager(str(tmp_path / "checkpoints"))
    manager.save(7, before, save_only_lora_params=lora, force=True)
    manager.close()
    found = load(manifest, models_dir, trains=True)
    assert restore_weights(found.model, tmp_path / "checkpoints", lora=lora) == 7
    assert "float32" in types_of(found.model, nnx.Param)
    tokens = np.arange(5, 45)
    assert np.array_equal(logits(computing(found.model, found.dtype), tokens), logits(before, tokens))
