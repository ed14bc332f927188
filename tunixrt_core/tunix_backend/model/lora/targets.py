"""Modules that a LoRA pattern matches, told without loading anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture

_SMALLEST_TILE = 8
ROUTER = "mlp/router"  # of a mixture of experts, within a layer


@dataclass(frozen=True, slots=True)
class LoraModule:
    """A linear map of the model by its module path; `contracted` is the size of the axis that is tiled."""

    path: str
    inputs: int
    outputs: int
    contracted: int


def lora_targets(architecture: Architecture, pattern: str) -> list[LoraModule]:
    """The modules whose whole path the pattern matches, in the model's order.

    Raises ModelError for a pattern that is no regular expression, that matches nothing (Tunix would silently train
    every weight of the model instead) or that matches the embedding, to which LoRA cannot be applied.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ModelError(f"lora.modules = {pattern!r} is not a regular expression ({error}). Fix it.") from None
    modules = list(_linear_maps(architecture))
    targets = [module for module in modules if wanted.fullmatch(module.path)]
    if not targets:
        names = sorted({module.path.rsplit("/", 1)[-1] for module in modules if not module.path.endswith(ROUTER)})
        raise ModelError(
            f"lora.modules = {pattern!r} matches no module of the model, so there would be nothing to train. "
            f"Match whole paths such as {modules[0].path}; the last parts are {', '.join(names)}."
        )
    if any(module.path.endswith(ROUTER) for module in targets):
        raise ModelError(
            f"lora.modules = {pattern!r} matches the router of the experts, which no PEFT adapter can hold. "
            "Name the projections of the attention, such as .*q_proj|.*v_proj."
        )
    if wanted.fullmatch("embedder"):
        raise ModelError(
            f"lora.modules = {pattern!r} matches the embedding too, to which LoRA cannot be applied. "
            "Name the projections, such as .*q_proj|.*v_proj."
        )
    return targets


def lora_parameters(targets: Sequence[LoraModule], rank: int) -> int:
    """The number of parameters that LoRA of this rank trains on these modules."""
    return rank * sum(module.inputs + module.outputs for module in targets)


def check_tile_size(targets: Sequence[LoraModule], tile_size: int) -> None:
    """Raises ModelError where the tile size does not divide a module's inputs, naming the sizes that do."""
    wrong = [module for module in targets if module.contracted % tile_size]
    if not wrong:
        return
    common = math.gcd(*(module.contracted for module in targets))
    sizes = [str(size) for size in range(_SMALLEST_TILE, common + 1) if common % size == 0]
    fitting = f"Choose one of {', '.join(sizes)}." if sizes else "No size does: leave such modules out of lora.modules."
    raise ModelError(
        f"lora.tile_size = {tile_size} does not divide the {wrong[0].contracted} inputs of {wrong[0].path} "
        f"that share a scale. {fitting}"
    )


def _linear_maps(a: Architecture) -> Iterator[LoraModule]:
    for i in range(a.layers):
        for name, inputs, outputs, contracted in _of_layer(a, i):
            yield LoraModule(f"layers/{i}/{name}", inputs, outputs, contracted)
    if not a.tied and a.vocab_size:
        yield LoraModule("lm_head", a.embed_dim, a.vocab_size, a.embed_dim)


def _of_layer(a: Architecture, layer: int) -> Iterator[tuple[str, int, int, int]]:
    dim, size, hidden = a.embed_dim, a.head_dim_of(layer), a.hidden_dim_of(layer)
    queries, keys = a.heads * size, a.kv_heads * size
    if a.gemma4:
        into = {"q_einsum": queries, **({"kv_einsum": 2 * keys} if a.lender(layer) == layer else {})}
    elif a.kind.startswith("gemma"):  # Tunix stacks Gemma's projections
        into = {"qkv_einsum": 3 * queries} if a.heads == a.kv_heads else {"q_einsum": queries, "kv_einsum": 2 * keys}
    else:
        into = {"q_proj": queries, "k_proj": keys, "v_proj": keys}
    yield from ((f"attn/{name}", dim, outputs, dim) for name, outputs in into.items())
    yield f"attn/{'attn_vec_einsum' if a.kind.startswith('gemma') else 'o_proj'}", queries, dim, size
    if a.experts:  # these are no linear maps of their own in Tunix
        yield ROUTER, dim, a.experts.count, dim
    else:
        yield from ((f"mlp/{name}_proj", dim, hidden, dim) for name in ("gate", "up"))
        yield "mlp/down_proj", hidden, dim, hidden
    if a.gemma4 and (per_layer := a.gemma4.per_layer_dim):
        yield "per_layer_input_gate", dim, per_layer, dim
        yield "per_layer_projection", per_layer, dim, per_layer
