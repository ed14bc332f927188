"""From a model reference to a model on a mesh."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import KINDS, VOCAB, config_of, reference_logits, weights, write_checkpoint
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import MeshSection

pytestmark = pytest.mark.tunix

LLAMA_3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def load(manifest: RunManifest, models_dir: Path, *, trains: bool = False) -> Any:
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        return load_model(manifest, models_dir, mesh, trains=trains)


def logits(model: Any, tokens: Any) -> Any:
    import jax.numpy as jnp

    length = len(tokens)
    mask = jnp.tril(jnp.ones((1, length, length), bool))
    return np.asarray(_pass()(model, jnp.array([tokens]), jnp.arange(length)[None], mask)[0])


@cache
def _pass() -> Any:
    """A pass through a model, compiled as one program: each operation alone would be one too, for each shape."""
    from flax import nnx

    return nnx.jit(lambda model, tokens, positions, mask: model(tokens, positions, None, mask)[0])


@pytest.mark.parametrize(
    ("kind", "tied", "config"),
    [
        ("qwen2", False, {"rope_theta": 10_000.5}),
        ("qwen2", True, {"rope_theta": 10_000.0, "rope_scaling": {"type": "linear", "factor": 2.0}}),
        ("qwen3", True, {}),
        ("qwen3", False, {"rope_theta": 10_000.0}),
        ("llama", False, {"rope_theta": 500_000.0, "rms_norm_eps": 1e-5}),
        ("llama", True, {"rope_theta": 500_000.0, "rope_scaling": LLAMA_3_SCALING}),
        ("llama", True, {"rope_theta": 10_000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
        ("gemma2", True, {}),
        ("gemma2", True, {"rope_theta": 500.0, "final_logit_softcapping": None, "attn_logit_softcapping": None}),
        ("gemma3_text", True, {}),
        (
            "gemma3_text",
            True,
            {
                "layer_types": ["sliding_attention", "full_attention"],
                "rope_theta": 20_000.5,
                "rope_scaling": {"rope_type": "linear", "factor": 4.0},
            },
        ),
        ("qwen3_moe", False, {"rope_theta": 10_000_000.0}),
        ("gemma4_text", True, {}),
    ],
)
def test_a_loaded_model_says_what_its_architecture_defines(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool, config: dict[str, Any]
) -> None:
    written = write_checkpoint(tmp_path / "model", kind, tied=tied, **config)
    loaded = load(make_manifest(tmp_path, model=str(tmp_path / "model"), method="full"), models_dir)
    tokens = np.random.RandomState(0).randint(0, VOCAB, 40)
    expected = reference_logits(weights(kind, tied, config=written), written, tokens)
    assert np.abs(logits(loaded.model, tokens) - expected).max() < 2e-4
    assert loaded.vocab_size == VOCAB
    assert loaded.total_parameters == sum(value.size for value in weights(kind, tied).values())
    assert loaded.trainable_parameters == loaded.total_parameters


def test_two_models_with_different_rope_do_not_see_each_other(tmp_path: Path, models_dir: Path) -> None:
    tokens = np.arange(40)
    models, expected = [], []
    for theta in (10_000.0, 1_000_000.0):
        directory = tmp_path / f"theta-{theta:.0f}"
        config = write_checkpoint(directory, "llama", rope_theta=theta)
        models.append(load(make_manifest(tmp_path, model=str(directory), method="full"), models_dir).model)
        expected.append(reference_logits(weights("llama"), config, tokens))
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    for model, wanted in zip(models, expected, strict=True):
        assert np.abs(logits(model, tokens) - wanted).max() < 2e-4


@pytest.mark.parametrize("kind", KINDS)
def test_lora_trains_a_share_and_changes_nothing_at_first(tmp_path: Path, models_dir: Path, kind: str) -> None:
    turned = {} if kind == "gemma4_text" else {"rope_theta": 10_000.0}
    config = write_checkpoint(tmp_path / "model", kind, **turned)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="lora", lora_rank=4)
    loaded = load(manifest, models_dir)
    assert 0 < loaded.trainable_parameters < loaded.total_parameters
    tokens = np.arange(40)
    expected = reference_logits(weights(kind), config, tokens)
    assert np.abs(logits(loaded.model, tokens) - expected).max() < 2e-4


def test_what_does_not_fit_is_refused_before_it_is_loaded(tmp_path: Path, models_dir: Path) -> None:
    """Each check has its own tests; here, that loading goes through them."""
    with pytest.raises(ModelError, match="matches no module"):
        load(make_manifest(tmp_path, method="lora", lora_modules="no_such_projection"), models_dir)
    write_checkpoint(tmp_path / "model", "qwen3", attention_bias=True)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method="full")
    with pytest.raises(ModelError, match="attention_bias"):
        load(manifest, models_dir)
    (tmp_path / "model" / "config.json").write_text(json.dumps(config_of("qwen3", intermediate_size=65)))
    with pytest.raises(ModelError, match=r"config\.json makes it"):
        load(manifest, models_dir)


def test_a_reference_is_a_built_in_name_a_path_or_an_owner_and_name(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.model.models import resolve_model

    models = tmp_path / "models"
    assert resolve_model("tiny-micro", models) == models / "tiny-micro"
    assert resolve_model(str(models / "tiny-micro"), models) == models / "tiny-micro"
    (models / "org" / "name").mkdir(parents=True)
    (models / "org" / "name" / "config.json").write_text("{}")
    assert resolve_model("org/name", models) == models / "org" / "name"
    with pytest.raises(ModelError, match="hf download org/other"):
        resolve_model("org/other", models)
    with pytest.raises(ModelError, match="There is no model in"):
        resolve_model("./nowhere", models)


def test_a_mesh_that_this_host_or_the_batch_does_not_fit_is_refused() -> None:
    from tunixrt_core.tunix_backend.model.models import device_name, make_mesh

    with pytest.raises(ModelError, match="mesh needs 4096 x 2 = 8192"):
        make_mesh(MeshSection(fsdp=4096, tp=2), 4096)
    with pytest.raises(ModelError, match=r"batch.size = 6 .* multiple of 4"):
        make_mesh(MeshSection(fsdp=4), 6)
    assert device_name(make_mesh(MeshSection(), 8)) == "CPU"


def test_a_look_at_a_model_downloads_nothing_and_says_how_to_get_it(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.model.models import local_model

    with pytest.raises(ModelError, match="tunixrt models get org/name"):
        local_model("org/name", tmp_path)
    with pytest.raises(ModelError, match=r"There is no model in \./nowhere"):
        local_model("./nowhere", tmp_path)
    assert local_model("tiny-micro", tmp_path) == tmp_path / "tiny-micro"
