"""FLOP that a model needs for a step, whatever a program does."""

from __future__ import annotations

import math
from statistics import fmean

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import StepKind
from tunixrt_core.tunix_backend.memory.count import sizes_of
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.files.expected import expected_tensors, idle_experts


def model_flops(architecture: Architecture, manifest: RunManifest, kind: StepKind, rows: int, row_length: int) -> float:
    """FLOP of one step over `rows` rows of `row_length` tokens; of generation, of one more token per row.

    Per token 2 for each weight of a matrix product forward, 2 for the gradient of its input, 2 for its own where it is
    trained (Kaplan et al. 2020, appendix B), and attention over the tokens that are seen, twice as much backward
    (Chowdhery et al. 2022, appendix B, there over all tokens). The embedding is a look-up.
    """
    weights = matrix_weights(architecture)
    widths = [architecture.heads * architecture.head_dim_of(i) for i in range(architecture.layers)]
    if kind == "generation":
        return rows * (2.0 * weights + 4.0 * sum(widths) * row_length)
    shares = layer_shares(architecture, row_length)
    seen = row_length * sum(width * share for width, share in zip(widths, shares, strict=True))
    forward = rows * row_length * (2.0 * weights + 4.0 * seen)
    if kind == "evaluation":
        return forward
    adapts = manifest.method.adapts
    trained = sizes_of(architecture, manifest).lora if adapts else weights
    added = 2.0 * trained if adapts else 0.0  # LoRA's own forward pass
    backward = rows * row_length * (2.0 * weights + added + 2.0 * trained + 8.0 * seen)
    return forward + rows * row_length * added + backward


def matrix_weights(architecture: Architecture) -> int:
    """Weights that a token is multiplied with: of the layers and the head, which may be the embedding."""
    tensors = expected_tensors(architecture)
    inner = sum(math.prod(shape) for name, shape in tensors.items() if "layers" in name and len(shape) > 1)
    return inner - idle_experts(architecture) + (architecture.vocab_size or 0) * architecture.embed_dim


def attended_share(architecture: Architecture, length: int) -> float:
    """Pairs of tokens that attention computes, as a share of length x length, over all layers."""
    return fmean(layer_shares(architecture, length))


def layer_shares(architecture: Architecture, length: int) -> list[float]:
    """The same of each layer: about half of the pairs, or those within the window."""
    whole = (length + 1) / (2 * length)
    window = architecture.window
    if window is None or window >= length or not any(architecture.local_layers):
        return [whole] * architecture.layers
    local = (window * (window + 1) / 2 + (length - window) * window) / length**2
    return [local if is_local else whole for is_local in architecture.local_layers]
