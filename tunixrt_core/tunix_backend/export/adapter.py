"""LoRA weights in the layout of the peft package."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tunixrt_core.errors import ExportError
from tunixrt_core.manifest.models import HubName, parse_model_name
from tunixrt_core.manifest.sections import LoraSection
from tunixrt_core.tunix_backend.export.shards import WrittenFiles
from tunixrt_core.tunix_backend.export.weights import TrainedWeights

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model."  # prefix that peft adds to the names of the wrapped model
_PICTURES_TEXT = "language_model.model."  # in the files of a multimodal Gemma 3


def write_adapter(
    weights: TrainedWeights, base_names: Iterable[str], section: LoraSection, base_model: str, folder: Path
) -> WrittenFiles:
    """Write both files. `base_names` are the tensors of the base's files; `base_model` is what the config names.

    Raises ExportError where LoRA was trained on weights that have no name in the base's files.
    """
    modules = {_module(name): name for name in base_names if name.endswith(".weight")}
    tensors: dict[str, Any] = {}
    adapted = set()
    for module, name in modules.items():
        if (factors := weights.lora(name)) is not None:
            adapted.add(module)
            tensors[f"{PREFIX}{module}.lora_A.weight"] = np.ascontiguousarray(factors.a)
            tensors[f"{PREFIX}{module}.lora_B.weight"] = np.ascontiguousarray(factors.b)
    if left := weights.unread_lora():
        raise ExportError(
            f"{len(left)} weights of the trained LoRA are not in the base model's files, such as {left[0]}. "
            "Nothing was exported; the weights are safe in the run's checkpoints."
        )
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    config = adapter_config(section, target_modules(modules, adapted), base_model)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return WrittenFiles(1, (folder / WEIGHTS).stat().st_size, str(next(iter(tensors.values())).dtype))


def adapter_config(section: LoraSection, targets: list[str], base_model: str) -> dict[str, Any]:
    """peft's LoraConfig. One rank and one alpha for all modules, so no patterns of them are needed."""
    name = parse_model_name(base_model)
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": name.repository if isinstance(name, HubName) else base_model,
        "revision": name.revision if isinstance(name, HubName) else None,
        "r": section.rank,
        "lora_alpha": int(section.alpha) if section.alpha == int(section.alpha) else section.alpha,
        "target_modules": targets,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "inference_mode": True,
        "modules_to_save": None,
    }


def target_modules(modules: Iterable[str], adapted: set[str]) -> list[str]:
    """The last parts of the adapted modules' names where no other module has the same, full names otherwise.

    peft takes every module whose name ends in one of these.
    """
    last = {module.rsplit(".", 1)[-1] for module in adapted}
    # a module that only holds others counts too: Gemma 4's eyes have a q_proj around a linear map
    parts = [module.split(".") for module in modules]
    every = {".".join(each[: i + 1]) for each in parts for i in range(len(each))}
    alike = {module for module in every if module.rsplit(".", 1)[-1] in last}
    return sorted(last if alike == adapted else adapted)


def _module(name: str) -> str:
    """The name that transformers gives the weight's module in the loaded model."""
    module = name.removesuffix(".weight")
    if module.startswith(_PICTURES_TEXT):
        return f"model.language_model.{module.removeprefix(_PICTURES_TEXT)}"
    return module
