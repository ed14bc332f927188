"""The device that JAX computes on, which must be the machine's accelerator."""

from __future__ import annotations

from collections.abc import Mapping

from tunixrt_core.errors import TrainingError


def check_device(has: str, platform: str, environ: Mapping[str, str]) -> None:
    """Raises TrainingError where the host has a TPU or GPU (`has`, see host.device_kind) but JAX uses the CPU.

    JAX_PLATFORMS=cpu selects the CPU on purpose.
    """
    asked_for = "cpu" in environ.get("JAX_PLATFORMS", "").lower().split(",")
    if has == "CPU" or platform != "cpu" or asked_for:
        return
    extra = {"TPU": "tpu", "GPU": "cuda"}[has]
    raise TrainingError(
        f"This machine has a {has}, but JAX found only the CPU: another process may hold the {has}, or JAX was "
        f'installed without it (pip install "tunix-rt[{extra}]"). End that process and start again, or set '
        "JAX_PLATFORMS=cpu to use the CPU on purpose."
    )
