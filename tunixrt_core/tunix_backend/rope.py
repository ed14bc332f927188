"""Rotary position frequencies as the model's config asks for them, where Tunix 0.1.7 takes 1e6 for every model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from tunixrt_core.errors import ModelError

TUNIX_THETA = 1_000_000.0

# which frequencies the model that is being traced wants; per thread, so two models never see each other's
_frequencies: ContextVar[tuple[float, ...] | None] = ContextVar("rope_frequencies", default=None)


def inverse_frequencies(head_dim: int, theta: float, scaling: Mapping[str, Any] | None) -> tuple[float, ...]:
    """Radians a position turns each of the head_dim / 2 pairs. Raises ModelError for a scaling it does not know."""
    plain = [theta ** (-2 * i / head_dim) for i in range(head_dim // 2)]
    kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
    if scaling is None or kind == "default":
        return tuple(plain)
    if kind == "linear":
        return tuple(f / float(scaling["factor"]) for f in plain)
    if kind == "llama3":
        return tuple(_llama3(f, scaling) for f in plain)
    raise ModelError(
        f"The model's config asks for rope scaling of type {kind!r}, which Tunix would silently leave out. "
        "Known are default, linear and llama3; choose another model, or remove the scaling if your rows are short."
    )


def _llama3(frequency: float, scaling: Mapping[str, Any]) -> float:
    """Llama 3.1's rule: long wavelengths are slowed down by `factor`, short ones kept, those between blended."""
    factor = float(scaling["factor"])
    low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
    turns = float(scaling["original_max_position_embeddings"]) * frequency / (2 * math.pi)
    if turns < low:
        return frequency / factor
    if turns > high:
        return frequency
    blend = (turns - low) / (high - low)
    return (1 - blend) * frequency / factor + blend * frequency


def use_frequencies(model: Any, module: Any, frequencies: tuple[float, ...]) -> None:
    """Make `model`, of a class in a Tunix model module whose apply_rope ignores the config, use these frequencies.

    The model gets a subclass whose forward pass says which frequencies hold while it is traced; the module's
    apply_rope is replaced, once for all models, by one that heeds it and is the old one for all others.
    """
    _patch_module(module)
    base = type(model)
    model.rope_frequencies = frequencies
    model.__class__ = _subclass(base)


def _patch_module(module: Any) -> None:
    original = module.apply_rope
    if getattr(original, "heeds_frequencies", False):
        return

    @wraps(original)
    def apply_rope(inputs: Any, positions: Any, head_dim: int, **kwargs: Any) -> Any:
        wanted = _frequencies.get()
        if wanted is None:
            return original(inputs, positions, head_dim, **kwargs)
        return rotate(inputs, positions, wanted)

    apply_rope.heeds_frequencies = True  # type: ignore[attr-defined]
    module.apply_rope = apply_rope


def _subclass(base: type) -> type:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _holding(self.rope_frequencies):
            return base.__call__(self, *args, **kwargs)

    # the Sampler looks at the signature, so it must stay that of the base class
    return type(base.__name__, (base,), {"__call__": wraps(base.__call__)(call), "__module__": base.__module__})


@contextmanager
def _holding(frequencies: tuple[float, ...]) -> Iterator[None]:
    token = _frequencies.set(frequencies)
    try:
        yield
    finally:
        _frequencies.reset(token)


def rotate(inputs: Any, positions: Any, frequencies: tuple[float, ...]) -> Any:
    """Rotate the halves of [batch, length, heads, head_dim] by position x frequency; positions are [batch, length]."""
    import jax.numpy as jnp

    angles = (positions[..., None].astype(jnp.float32) * jnp.asarray(frequencies, jnp.float32))[:, :, None, :]
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    first, second = jnp.split(inputs.astype(jnp.float32), 2, axis=-1)
    rotated = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return rotated.astype(inputs.dtype)
