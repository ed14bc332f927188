"""Safetensors shards of bounded size, with their index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from tunixrt_core.tunix_backend.model.files.headers import Tensor, tensors_of


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The weight files written: their number, their bytes, and the type of the last tensor in them."""

    files: int
    bytes: int
    dtype: str


def base_tensors(directory: Path) -> dict[str, Tensor]:
    """Every tensor of a model's weight files by its name in the file, from their headers."""
    files = sorted(directory.glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in tensors_of(file)}


def read_tensor(tensor: Tensor, name: str) -> Any:
    """The values of a tensor, in the type of the file."""
    with safe_open(str(tensor.file), framework="numpy") as handle:
        return handle.get_tensor(name)


def write_shards(
    base: dict[str, Tensor], value_of: Callable[[str, Any], Any], folder: Path, shard_bytes: int
) -> WrittenFiles:
    """Write each of the base's tensors, under its name, as `value_of(name, its value in the base)` gives it.

    Keeps the tensors of one file in memory. A file takes at most `shard_bytes`, or one tensor where that is larger.
    """
    sizes = {name: tensor.end - tensor.begin for name, tensor in base.items()}
    shards = list(plan_shards(sizes.items(), shard_bytes))
    index: dict[str, str] = {}
    total, dtype = 0, ""
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else "model.safetensors"
        # not ascontiguousarray, which makes a list of one of a single number, as Gemma 4 has in what it hears with
        tensors = {name: np.asarray(value_of(name, read_tensor(base[name], name)), order="C") for name in names}
        save_file(tensors, str(folder / file), metadata={"format": "pt"})  # transformers requires this format
        index |= dict.fromkeys(names, file)
        total += sum(value.nbytes for value in tensors.values())
        dtype = str(tensors[names[-1]].dtype)
    if len(shards) > 1:
        content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    size = sum((folder / file).stat().st_size for file in set(index.values()))
    return WrittenFiles(len(shards), size, dtype)


def plan_shards(sizes: Iterable[tuple[str, int]], limit: int) -> Iterator[list[str]]:
    """Names in their order, split before a shard becomes larger than `limit` bytes; no shard is empty."""
    shard: list[str] = []
    held = 0
    for name, size in sizes:
        if shard and held + size > limit:
            yield shard
            shard, held = [], 0
        shard.append(name)
        held += size
    if shard:
        yield shard
