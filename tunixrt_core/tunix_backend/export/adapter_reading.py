"""Reading a PEFT adapter: W + alpha / r * B A.

Shares only the names of the files with the writer, so that the check is independent of it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tunixrt_core.errors import ExportError
from tunixrt_core.tunix_backend.export.adapter import CONFIG, WEIGHTS
from tunixrt_core.tunix_backend.export.shards import base_tensors, write_shards

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<factor>[AB])\.weight")


@dataclass(frozen=True, slots=True)
class Adapter:
    """The content of the files: the scale alpha / r, and A [r, inputs] and B [outputs, r] by module."""

    scale: float
    factors: dict[str, dict[str, Any]]


def read_adapter(folder: Path) -> Adapter:
    """Read the adapter from its two files. Raises ExportError where they do not match."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    rank, targets = int(config["r"]), tuple(config["target_modules"])
    factors: dict[str, dict[str, Any]] = {}
    for key, value in load_file(str(folder / WEIGHTS)).items():
        found = _KEY.fullmatch(key)
        if found is None or not f".{found['module']}".endswith(tuple(f".{target}" for target in targets)):
            raise _broken(f"{key} belongs to no module that {CONFIG} names")
        factors.setdefault(found["module"].replace("language_model.", ""), {})[found["factor"]] = value
    for module, pair in factors.items():
        if pair.keys() != {"A", "B"} or not len(pair["A"]) == pair["B"].shape[1] == rank:
            raise _broken(f"the factors of {module} do not have rank {rank}")
    return Adapter(config["lora_alpha"] / rank, factors)


def write_adapted(adapter: Adapter, base: Path, dtype: str, folder: Path, shard_bytes: int) -> None:
    """A model that can be loaded: the base's files in `dtype`, with the adapter added.

    Raises ExportError where the base has no weight for a part of the adapter.
    """
    left = set(adapter.factors)

    def value_of(name: str, value: Any) -> Any:
        module = name.removesuffix(".weight").replace("language_model.", "")
        value = value.astype(np.float32)
        if name.endswith(".weight") and module in adapter.factors:
            left.discard(module)
            pair = adapter.factors[module]
            value = value + adapter.scale * (pair["B"].astype(np.float32) @ pair["A"].astype(np.float32))
        return value.astype(dtype)

    write_shards(base_tensors(base), value_of, folder, shard_bytes)
    if left:
        raise _broken(f"the base model has no {min(left)}")
    shutil.copyfile(base / "config.json", folder / "config.json")


def _broken(what: str) -> ExportError:
    return ExportError(f"The adapter cannot be read back: {what}. Nothing was exported.")
