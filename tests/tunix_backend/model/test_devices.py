"""A run never falls back to the CPU silently."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import TrainingError
from tunixrt_core.tunix_backend.model.devices import check_device


@pytest.mark.parametrize(("has", "extra"), [("TPU", "tpu"), ("GPU", "cuda")])
def test_an_accelerator_that_jax_does_not_use_ends_the_run(has: str, extra: str) -> None:
    with pytest.raises(TrainingError, match=rf"has a {has}, but JAX found only the CPU.*tunix-rt\[{extra}\]"):
        check_device(has, "cpu", {})


@pytest.mark.parametrize(
    ("has", "platform", "environ"),
    [
        ("CPU", "cpu", {}),
        ("TPU", "tpu", {}),
        ("GPU", "gpu", {}),
        ("TPU", "cpu", {"JAX_PLATFORMS": "cpu"}),
        ("GPU", "cpu", {"JAX_PLATFORMS": "cpu,gpu"}),
    ],
)
def test_what_was_asked_for_is_taken(has: str, platform: str, environ: dict[str, str]) -> None:
    check_device(has, platform, environ)
