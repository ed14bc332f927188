"""A LoRA in PEFT layout: its keys, its shapes, and that it is refused where its files do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers import families
from tests.tunix_backend.helpers.exports import export, pretend_to_train, tensors
from tests.tunix_backend.helpers.families import write_checkpoint
from tunixrt_core.errors import ExportError
from tunixrt_core.manifest.sections import LoraSection
from tunixrt_core.training.model_export import ExportLayout

pytestmark = pytest.mark.tunix

ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")


def adapter(tmp_path: Path, models_dir: Path, kind: str, modules: str | None = None, **config: Any) -> Path:
    """The folder of an export of a run that put LoRA on these modules."""
    write_checkpoint(tmp_path / "model", kind, **config)
    hyper = {"lora_modules": modules} if modules else {}
    manifest = make_manifest(
        tmp_path, model=str(tmp_path / "model"), method="lora", lora_rank=4, lora_alpha=8.0, **hyper
    )
    pretend_to_train(manifest, models_dir)
    export(manifest, models_dir, tmp_path / "out", layout=ExportLayout.PEFT)
    return tmp_path / "out"


def held(folder: Path) -> dict[str, Any]:
    return tensors(folder)["adapter_model.safetensors"]


def config_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "adapter_config.json").read_text()))


@pytest.mark.parametrize(
    ("kind", "kv_heads"), [("qwen3", 2), ("gemma3_text", 2), ("gemma3_text", families.HEADS), ("gemma2", 1)]
)
def test_each_projection_has_its_own_factors_in_the_shapes_of_peft(
    tmp_path: Path, models_dir: Path, kind: str, kv_heads: int
) -> None:
    folder = adapter(tmp_path, models_dir, kind, num_key_value_heads=kv_heads)
    found, weights = held(folder), families.weights(kind, kv_heads=kv_heads)
    expected = {}
    for i in range(families.LAYERS):
        for part, names in (("self_attn", ATTENTION), ("mlp", MLP)):
            for name in names:
                module = f"model.layers.{i}.{part}.{name}"
                outputs, inputs = weights[f"{module}.weight"].shape
                expected[f"base_model.model.{module}.lora_A.weight"] = (4, inputs)
                expected[f"base_model.model.{module}.lora_B.weight"] = (outputs, 4)
    assert {name: value.shape for name, value in found.items()} == expected
    config = config_of(folder)
    assert (config["peft_type"], config["task_type"], config["r"], config["lora_alpha"]) == ("LORA", "CAUSAL_LM", 4, 8)
    assert config["base_model_name_or_path"] == "model"
    assert config["target_modules"] == sorted([*ATTENTION, *MLP])
    assert not (folder / "config.json").exists()  # a program would take it for a whole model
    assert (folder / "tokenizer.json").is_file()


def test_stacked_projections_share_what_reads_and_part_what_writes(tmp_path: Path, models_dir: Path) -> None:
    found = held(adapter(tmp_path, models_dir, "gemma2"))
    key, value = (
        {
            factor: found[f"base_model.model.model.layers.0.self_attn.{which}_proj.lora_{factor}.weight"]
            for factor in "AB"
        }
        for which in "kv"
    )
    assert np.array_equal(key["A"], value["A"])
    assert not np.array_equal(key["B"], value["B"])


def test_modules_of_some_layers_only_are_named_in_full(tmp_path: Path, models_dir: Path) -> None:
    folder = adapter(tmp_path, models_dir, "qwen3", "layers/1/attn/q_proj|layers/1/mlp/.*")
    names = ["mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.q_proj"]
    assert config_of(folder)["target_modules"] == [f"model.layers.1.{name}" for name in names]
    assert len(held(folder)) == 2 * len(names)


def test_an_output_head_of_its_own_can_have_lora_too(tmp_path: Path, models_dir: Path) -> None:
    folder = adapter(tmp_path, models_dir, "qwen2", ".*q_proj|lm_head", tied=False)
    assert held(folder)["base_model.model.lm_head.lora_B.weight"].shape == (families.VOCAB, 4)
    assert config_of(folder)["target_modules"] == ["lm_head", "q_proj"]


def test_a_gemma_3_that_sees_pictures_is_adapted_in_its_text_part_alone() -> None:
    from tunixrt_core.tunix_backend.export.adapter import _module, target_modules

    text = _module("language_model.model.layers.0.self_attn.q_proj.weight")
    assert text == "model.language_model.layers.0.self_attn.q_proj"
    pictures = "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj"
    assert target_modules([text, pictures], {text}) == [text]
    assert target_modules([text], {text}) == ["q_proj"]


def test_a_base_of_the_hub_is_named_with_its_revision() -> None:
    from tunixrt_core.tunix_backend.export.adapter import adapter_config

    config = adapter_config(LoraSection(rank=4, alpha=2.5), ["q_proj"], "Qwen/Qwen3-0.6B@abc")
    assert (config["base_model_name_or_path"], config["revision"]) == ("Qwen/Qwen3-0.6B", "abc")
    assert config["lora_alpha"] == 2.5


def test_an_adapter_that_is_damaged_before_it_is_read_again_is_found_out(tmp_path: Path, models_dir: Path) -> None:
    from safetensors.numpy import save_file

    manifest = make_manifest(tmp_path, method="lora", lora_rank=4)
    pretend_to_train(manifest, models_dir)

    def damage(what: str) -> None:
        (file,) = (tmp_path / "to").glob(".out.*/adapter_model.safetensors")
        tensors_of = held(file.parent)
        if what == "swapped":  # B of one layer on another projection
            names = [f"base_model.model.model.layers.0.mlp.{name}_proj.lora_B.weight" for name in ("gate", "up")]
            tensors_of[names[0]], tensors_of[names[1]] = tensors_of[names[1]], tensors_of[names[0]]
        else:
            name = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"
            tensors_of[name.replace("layers.0", "layers.9") if what == "of no layer" else name + "x"] = tensors_of.pop(
                name
            )
        save_file(tensors_of, str(file))

    for what, message in (
        ("swapped", "does not match"),
        ("of no layer", "do not have rank"),
        ("of no module", "no module"),
    ):
        with pytest.raises(ExportError, match=message):
            export(
                manifest,
                models_dir,
                tmp_path / "to" / "out",
                lambda phase, what=what: damage(what) if phase == "checking" else None,
                layout=ExportLayout.PEFT,
            )
        assert list((tmp_path / "to").iterdir()) == []
