"""The fused loss moves the smaller of hidden states and head, and holds few logits at once."""

from __future__ import annotations

import pytest

from tunixrt_core.manifest.training_sections import LossSection
from tunixrt_core.training.estimates.loss_layout import LossLayout, loss_layout


@pytest.mark.parametrize(
    ("batch", "length", "vocabulary", "mesh", "expected"),
    [
        # one device: 512 tokens at once
        (4, 2048, 262_144, {}, LossLayout(False, 4, 262_144, 128)),
        (1, 8192, 151_936, {}, LossLayout(False, 1, 151_936, 512)),
        # fewer tokens than words: the tokens move, each device has a part of the words
        (4, 2048, 151_936, {"fsdp": 4}, LossLayout(True, 4, 37_984, 128)),
        (8, 2048, 128_256, {"fsdp": 4, "tp": 2}, LossLayout(True, 8, 16_032, 128)),
        # more tokens than words: the head moves
        (64, 4096, 128_256, {"fsdp": 8}, LossLayout(False, 8, 128_256, 64)),
        # what the mesh does not divide is not split
        (4, 64, 30, {"fsdp": 2, "tp": 4}, LossLayout(False, 2, 30, 64)),
        (3, 64, 3000, {"fsdp": 7, "tp": 2}, LossLayout(False, 3, 1500, 64)),
        (4, 2048, 320, {}, LossLayout(False, 4, 320, 1024)),
    ],
)
def test_each_device_gets_a_share(
    batch: int, length: int, vocabulary: int, mesh: dict[str, int], expected: LossLayout
) -> None:
    assert loss_layout(LossSection(), batch=batch, length=length, vocabulary=vocabulary, **mesh) == expected


def test_a_chunk_of_the_manifest_is_used() -> None:
    layout = loss_layout(LossSection(chunk=100), batch=4, length=2048, vocabulary=151_936)
    assert layout.chunk == 100
    assert loss_layout(LossSection(chunk=100), batch=4, length=64, vocabulary=151_936).chunk == 64
