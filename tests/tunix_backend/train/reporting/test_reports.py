"""What is told of a train step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tunixrt_core.traces.rendering.text import Piece
from tunixrt_core.tunix_backend.data.encoding import Parts

pytestmark = pytest.mark.tunix


def test_losses_by_part_are_means_over_tokens() -> None:
    from tunixrt_core.tunix_backend.train.reporting.reports import by_part

    parts = Parts()
    ids = [parts.id_of(Piece("x", "step", i, kind)) for i, kind in ((0, "plan"), (1, "compute"), (1, "plan"))]
    sums, counts = np.zeros(len(parts)), np.zeros(len(parts), int)
    sums[[1, 2, *ids]] = [2.0, 9.0, 4.0, 6.0, 5.0]
    counts[[0, 1, 2, *ids]] = [50, 4, 3, 4, 2, 1]
    assert by_part(parts, sums, counts) == {
        "parts": {"prompt": 0.5, "format": 3.0, "step 1": 1.0, "step 2": 3.66667},
        "types": {"plan": 1.8, "compute": 3.0},
    }


def test_utilisation_is_told_only_where_the_peak_of_the_device_is_known() -> None:
    from tunixrt_core.tunix_backend.train.reporting.reports import model_flops_share

    assert model_flops_share(1e3, 10**9, 10**9, "cpu", 1) is None
    full = model_flops_share(1e4, 10**9, 10**9, "TPU v5 lite", 4)
    assert full == pytest.approx(1e4 * 6e9 / (4 * 197e12))
    # frozen weights need no gradient of their own
    lora = model_flops_share(1e4, 10**9, 10**6, "TPU v5 lite", 4)
    assert lora == pytest.approx(1e4 * (4e9 + 2e6) / (4 * 197e12))


@pytest.mark.parametrize(
    ("kind", "peak"),
    [("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA H200", 989e12), ("NVIDIA L40S", 362e12)],
)
def test_the_peak_is_that_of_the_card_with_the_longest_name_that_fits(kind: str, peak: float) -> None:
    from tunixrt_core.tunix_backend.train.reporting.reports import model_flops_share

    assert model_flops_share(1e4, 10**9, 0, kind, 1) == pytest.approx(1e4 * 4e9 / peak)


def test_a_loss_too_large_for_its_perplexity_is_no_error() -> None:
    from tunixrt_core.tunix_backend.train.reporting.reports import perplexity

    assert perplexity(0.0) == 1.0
    assert perplexity(1e9) == math.inf


def test_the_memory_of_a_host_without_device_memory_is_that_of_the_process() -> None:
    import jax

    from tunixrt_core.tunix_backend.train.reporting.reports import memory_in_use

    found = memory_in_use(jax.devices("cpu")[0])
    assert 50 << 20 < found["memory_bytes"] <= found["peak_memory_bytes"] + (50 << 20)
