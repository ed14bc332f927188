"""What is wrong with the weights themselves is named by its tensor or token before a run starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.exports import rewrite
from tests.tunix_backend.helpers.preflight_makers import ModelDir, check, of_model, only
from tunixrt_core.training.preflight.report import Severity
from tunixrt_core.tunix_backend.model.files.values import EMBEDDING, dead_embeddings, look_at_values

pytestmark = pytest.mark.tunix

UP = "model.layers.0.mlp.up_proj.weight"


def with_weights(folder: Path, edit: Callable[[dict[str, Any]], None]) -> ModelDir:
    from safetensors.numpy import load_file, save_file

    model = ModelDir(folder / "model")
    held = load_file(model.path / "model.safetensors")
    edit(held)
    save_file(held, model.path / "model.safetensors")
    return model


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN in "), (-np.inf, "an infinity in ")])
def test_one_weight_that_is_no_number_blocks_and_its_tensor_is_named(
    tmp_path: Path, models_dir: Path, dtype: str, value: float, said: str
) -> None:
    def edit(held: dict[str, Any]) -> None:
        held[UP][-1, -1] = value

    model = with_weights(tmp_path, edit)
    rewrite(model.path, dtype=dtype)
    finding = only(check(of_model(tmp_path, model), models_dir), "weights_not_finite")
    assert finding.severity is Severity.BLOCKING
    assert f"hold {said}{UP}, so" in finding.message


def test_matrices_of_a_single_value_are_named_and_scales_are_not(tmp_path: Path, models_dir: Path) -> None:
    def edit(held: dict[str, Any]) -> None:
        held[UP][:] = 0.25  # all norm scales of this model are 1

    finding = only(check(of_model(tmp_path, with_weights(tmp_path, edit)), models_dir), "weights_constant")
    assert finding.severity is Severity.WARNING
    assert f"1 matrix of the base's weights holds one value only: 0.25 in {UP}." in finding.message


def test_a_model_of_zeros_is_one_finding(tmp_path: Path, models_dir: Path) -> None:
    def edit(held: dict[str, Any]) -> None:
        for value in held.values():
            value[:] = 0

    finding = only(check(of_model(tmp_path, with_weights(tmp_path, edit)), models_dir), "weights_constant")
    assert finding.message.startswith("Every matrix of the base's weights")


def test_tokens_of_the_rows_with_a_dead_embedding_are_named_with_their_rows(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.rows import load_tokenizer

    tokenizer = load_tokenizer(make_manifest(tmp_path / "other"), models_dir)
    start, end = (tokenizer.token_id(name) for name in ("<|im_start|>", "<|im_end|>"))

    def faded(held: dict[str, Any]) -> None:
        held[EMBEDDING][end] *= 1e-4
        held[EMBEDDING][500:] = 0  # of which no row holds any

    finding = only(check(of_model(tmp_path, with_weights(tmp_path, faded)), models_dir), "dead_embedding")
    assert "29 rows use '<|im_end|>', with an embedding that is zero, or nearly so" in finding.message
    assert finding.row_count == 29

    def shared(held: dict[str, Any]) -> None:
        held[EMBEDDING][end] = held[EMBEDDING][start]

    directory = with_weights(tmp_path / "again", shared).path
    assert dead_embeddings(directory, [start, end, 40]) == ([], sorted([start, end]))


def test_files_are_read_again_only_where_they_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunixrt_core.tunix_backend.model.files import values as weight_values

    model = ModelDir(tmp_path / "model")
    first = look_at_values(model.path)
    read: list[Path] = []
    kept = weight_values.read_tensors
    monkeypatch.setattr(weight_values, "read_tensors", lambda path: read.append(path) or kept(path))
    assert look_at_values(model.path) is first
    assert not read
    rewrite(model.path, dtype="bfloat16")
    assert look_at_values(model.path) == first
    assert read == [model.path]


def test_bounds_of_what_a_model_hears_with_may_be_infinite(tmp_path: Path) -> None:
    def edit(held: dict[str, Any]) -> None:
        held["model.audio_tower.layers.0.feed_forward.input_max"] = np.array(np.inf, np.float32)

    assert not look_at_values(with_weights(tmp_path, edit).path).not_finite
