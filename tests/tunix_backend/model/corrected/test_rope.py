"""Rotary frequencies from a config."""

from __future__ import annotations

import math

import pytest

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.corrected.rope import inverse_frequencies

SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_frequencies_fall_from_one_by_equal_ratios() -> None:
    assert inverse_frequencies(4, 10_000.0, None) == pytest.approx((1.0, 0.01))


@pytest.mark.parametrize("key", ["rope_type", "type"])
def test_linear_scaling_slows_every_frequency(key: str) -> None:
    scaled = inverse_frequencies(4, 10_000.0, {key: "linear", "factor": 2.0})
    assert scaled == pytest.approx((0.5, 0.005))


def test_llama_3_scaling_keeps_short_waves_slows_long_ones_and_blends_between() -> None:
    plain = inverse_frequencies(128, 500_000.0, None)
    scaled = inverse_frequencies(128, 500_000.0, SCALING)
    for before, after in zip(plain, scaled, strict=True):
        wavelength = 2 * math.pi / before
        if wavelength < 8192 / 4:
            assert after == before
        elif wavelength > 8192:
            assert after == pytest.approx(before / 8)
        else:
            assert before / 8 <= after <= before


def test_an_unknown_scaling_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="yarn"):
        inverse_frequencies(64, 10_000.0, {"rope_type": "yarn", "factor": 4.0})
