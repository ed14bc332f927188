"""Reports of train steps and evaluations from device values."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypedDict

import jax
import numpy as np

from tunixrt_core.runs.metrics import Losses
from tunixrt_core.tunix_backend.data.encoding import Parts
from tunixrt_core.tunix_backend.train.step.feeding import MicroBatch
from tunixrt_core.util.processes.identity import resident_bytes

# Peak of dense bfloat16 arithmetic in FLOP/s per JAX device, from the vendors' data sheets.
_PEAK = {
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "NVIDIA A100": 312e12,
    "NVIDIA GH200": 989e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H200": 989e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40S": 362e12,
}


class LossesByPart(TypedDict):
    """Fields of a train or eval record."""

    parts: Losses
    types: Losses


class BatchFields(LossesByPart):
    """The fields of a train record that come from its micro-batches."""

    trained_tokens: int
    tokens: int
    padding_share: float
    epoch: float


class MemoryFields(TypedDict):
    """The fields of a train record about memory, in bytes."""

    memory_bytes: int
    peak_memory_bytes: int


def perplexity(loss: float) -> float:
    """exp(loss); infinity where that is too large for a float."""
    return math.exp(loss) if loss < 700 else math.inf


def by_part(parts: Parts, sums: Sequence[float], counts: Sequence[int]) -> LossesByPart:
    """Mean loss of each part that occurs, in nats per token: `parts` by place in the trace, `types` by step type."""
    places: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    types: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for i in range(1, len(parts)):
        if counts[i]:
            part = parts[i]
            groups = [places[str(part)]] + ([types[part.type]] if part.kind == "step" else [])
            for group in groups:
                group[0] += float(sums[i])
                group[1] += float(counts[i])
    return {
        "parts": {name: round(total / n, 5) for name, (total, n) in places.items()},
        "types": {name: round(total / n, 5) for name, (total, n) in types.items()},
    }


def batch_report(parts: Parts, fed: Sequence[MicroBatch], sums: Sequence[Any]) -> BatchFields:
    """The report of a train step from its micro-batches; `sums` holds the summed loss by part of each."""
    counts = sum(micro.tokens_by_part for micro in fed)
    slots = sum(micro.slots for micro in fed)
    real = sum(micro.real for micro in fed)
    total: Any = sum(np.asarray(each, np.float64) for each in sums)
    return {
        "trained_tokens": sum(micro.trained for micro in fed),
        "tokens": real,
        "padding_share": round(1 - real / slots, 4),
        "epoch": round(fed[-1].epoch, 6),
        **by_part(parts, total, counts),
    }


def model_flops_share(
    tokens_per_second: float, parameters: int, trainable: int, device_kind: str, devices: int
) -> float | None:
    """Model FLOP/s utilisation: the parameters' FLOP/s as a share of the devices' peak; None where that is unknown.

    2 FLOPs per parameter and token forward, 2 for the gradients of the activations, 2 for those of the trained weights
    (Kaplan et al. 2020, appendix B; attention itself is left out).
    """
    peak = next((value for name, value in sorted(_PEAK.items(), reverse=True) if device_kind.startswith(name)), None)
    return None if peak is None else tokens_per_second * (4 * parameters + 2 * trainable) / (peak * devices)


def memory_in_use(device: jax.Device) -> MemoryFields:
    """Bytes in use and their peak: of the device where it reports them, else of this process."""
    stats = device.memory_stats()
    if stats:
        return {"memory_bytes": stats["bytes_in_use"], "peak_memory_bytes": stats["peak_bytes_in_use"]}
    # Linux counts ru_maxrss in KiB, macOS in bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"memory_bytes": resident_bytes(os.getpid()) or peak, "peak_memory_bytes": peak}
