"""FLOP that a model needs for a step, whatever a program does."""

from __future__ import annotations

import math

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import StepKind
from tunixrt_core.tunix_backend.memory.count import sizes_of
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.weight_files import expected_tensors, idle_experts


def model_flops(architecture: Architecture, manifest: RunManifest, kind: StepKind, rows: int, row_length: int) -> float:
    """FLOP of one step over `rows` rows of `row_length` tokens; of generation, of one more token per row.

    Per token 2 for each weight of a matrix product forward, 2 for the gradient of its input, 2 for its own where it is
    trained (Kaplan et al. 2020, appendix B), and attention over the tokens that are seen, twice as much backward
    (Chowdhery et al. 2022, appendix B, there over all tokens). The embedding is a look-up.
    """
    weights = matrix_weights(architecture)
    heads = architecture.heads * architecture.head_dim * architecture.layers
    if kind == "generation":
        return rows * (2.0 * weights + 4.0 * heads * row_length)
    seen = row_length * attended_share(architecture, row_length)
    forward = rows * row_length * (2.0 * weights + 4.0 * heads * seen)
    if kind == "evaluation":
        return forward
    adapts = manifest.method.adapts
    trained = sizes_of(architecture, manifest).lora if adapts else weights
    added = 2.0 * trained if adapts else 0.0  # LoRA's own forward pass
    backward = rows * row_length * (2.0 * weights + added + 2.0 * trained + 8.0 * heads * seen)
    return forward + rows * row_length * added + backward


def matrix_weights(architecture: Architecture) -> int:
    """Weights that a token is multiplied with: of the layers and the head, which may be the embedding."""
    tensors = expected_tensors(architecture)
    inner = sum(math.prod(shape) for name, shape in tensors.items() if "layers" in name and len(shape) > 1)
    return inner - idle_experts(architecture) + (architecture.vocab_size or 0) * architecture.embed_dim


def attended_share(architecture: Architecture, length: int) -> float:
    """Pairs of tokens that attention computes, as a share of length x length, over all layers."""
    whole = (length + 1) / (2 * length)
    if architecture.window is None or architecture.window >= length or not any(architecture.local_layers):
        return whole
    window = architecture.window
    local = (window * (window + 1) / 2 + (length - window) * window) / length**2
    share = sum(architecture.local_layers) / len(architecture.local_layers)
    return share * local + (1 - share) * whole
