"""TPU chips, with the published figures that bounds are computed from."""

from __future__ import annotations

from dataclasses import dataclass

_DOCS = "https://docs.cloud.google.com/tpu/docs"


@dataclass(frozen=True, slots=True)
class Chip:
    """One kind of TPU chip. All figures are of one chip.

    `flops` is the peak of matrix products in bfloat16, in FLOP/s; `memory` the bytes of HBM as published;
    `memory_rate` bytes per second to and from it; `link_rate` bytes per second that one of its `ports` receives.
    `cores` are TensorCores, `devices` what JAX shows of a chip. `note` says what the source leaves uncertain.
    """

    name: str
    flops: float
    memory: int
    memory_rate: float
    link_rate: float
    ports: int
    cores: int
    devices: int
    source: str
    platform: str  # as libtpu names it in a topology
    dimensions: int
    named_by_cores: bool  # v4-8 has 8 cores, v5litepod-8 has 8 chips
    note: str = ""
    joined_cores: str | None = None  # libtpu's name of the mode in which JAX shows both cores as one device

    @property
    def device_memory(self) -> int:
        """Bytes of HBM of one JAX device."""
        return self.memory // self.devices


CHIPS: dict[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip(
            "v4", 275e12, 32_000_000_000, 1.228e12, 50e9, 6, 2, 1, f"{_DOCS}/v4", "v4", 3, True,
            "The link rate is a sixth of the published 2,400 Gbps per chip.", "megacore",
        ),
        Chip(
            "v5e", 197e12, 16_000_000_000, 0.819e12, 50e9, 4, 1, 1, f"{_DOCS}/v5e", "v5e", 2, False,
            "The page gives 819 GBps for HBM, the one of v6e 800 for the same chip.",
        ),
        Chip(
            "v5p", 459e12, 95_000_000_000, 2.765e12, 100e9, 6, 2, 1, f"{_DOCS}/v5p", "v5p", 3, True,
            "The link rate is a sixth of the published 4,800 Gbps per chip.",
        ),
        Chip(
            "v6e", 918e12, 32_000_000_000, 1.64e12, 100e9, 4, 1, 1, f"{_DOCS}/v6e", "v6e", 2, False,
            "The page gives 1,600 GBps for HBM today and gave 1,640 before; the larger one keeps the bound a bound.",
        ),
        Chip(
            "7x", 2307e12, 192_000_000_000, 7.38e12, 100e9, 6, 2, 2, f"{_DOCS}/tpu7x", "tpu7x", 3, True,
            "That names count TensorCores, as those of v5p do, is not stated by its page. JAX shows two devices per "
            "chip, each with half of its memory and arithmetic.",
        ),
    )
}  # fmt: skip
