"""Weight files have a largest size, and an index where there are several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.exports import export, layout, pretend_to_train, rewrite, tensors
from tests.tunix_backend.helpers.families import write_checkpoint

pytestmark = pytest.mark.tunix


def test_a_file_is_full_before_the_next_one_begins_and_a_large_tensor_is_never_split() -> None:
    from tunixrt_core.tunix_backend.export.shards import plan_shards

    sizes = [("a", 4), ("b", 6), ("c", 1), ("d", 25), ("e", 1)]
    assert list(plan_shards(sizes, 10)) == [["a", "b"], ["c"], ["d"], ["e"]]
    assert list(plan_shards(sizes, 1000)) == [["a", "b", "c", "d", "e"]]
    assert list(plan_shards([], 10)) == []


def test_a_single_number_stays_one(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from tunixrt_core.tunix_backend.export.shards import base_tensors, write_shards

    (tmp_path / "base").mkdir()
    (tmp_path / "out").mkdir()
    save_file(
        {"a": np.array(7, np.float32), "b": np.ones((2, 3), np.float32).T}, str(tmp_path / "base" / "m.safetensors")
    )
    write_shards(base_tensors(tmp_path / "base"), lambda name, value: value, tmp_path / "out", 1000)
    (written,) = tensors(tmp_path / "out").values()
    assert {name: value.shape for name, value in written.items()} == {"a": (), "b": (3, 2)}


def test_a_large_model_is_split_with_an_index_and_its_parts_are_the_whole(tmp_path: Path, models_dir: Path) -> None:
    base = tmp_path / "model"
    write_checkpoint(base, "qwen3")
    rewrite(base, shards=3)  # the base's own files decide nothing
    manifest = make_manifest(tmp_path, model=str(base), method="lora", lora_rank=4)
    pretend_to_train(manifest, models_dir)
    whole = export(manifest, models_dir, tmp_path / "whole")
    split = export(manifest, models_dir, tmp_path / "split", shard_bytes=60_000)
    assert whole.files == 1
    assert list(layout(tmp_path / "whole")) == ["model.safetensors"]
    assert not list((tmp_path / "whole").glob("*.index.json"))
    parts = tensors(tmp_path / "split")
    assert split.files == len(parts) > 3
    assert next(iter(parts)) == f"model-00001-of-{split.files:05d}.safetensors"
    assert all(sum(t.nbytes for t in part.values()) <= 60_000 or len(part) == 1 for part in parts.values())
    index = json.loads((tmp_path / "split" / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == {name: file for file, part in parts.items() for name in part}
    assert index["metadata"]["total_size"] == sum(t.nbytes for part in parts.values() for t in part.values())
    (one,) = tensors(tmp_path / "whole").values()
    held = {name: value for part in parts.values() for name, value in part.items()}
    assert held.keys() == one.keys()
    assert all((held[name] == one[name]).all() for name in one)
