"""RoPE frequencies as the config defines them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from tunixrt_core.errors import ModelError

# frequencies of the model that is being traced; per thread, so that two models never share them
_frequencies: ContextVar[tuple[float, ...] | None] = ContextVar("rope_frequencies", default=None)


_NEEDED = {
    "linear": ("factor",),
    "proportional": ("partial_rotary_factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}


def inverse_frequencies(head_dim: int, theta: float, scaling: Mapping[str, Any] | None) -> tuple[float, ...]:
    """Radians per position for each of the head_dim / 2 pairs. Raises ModelError for an unknown scaling."""
    plain = [theta ** (-2 * i / head_dim) for i in range(head_dim // 2)]
    kind = (scaling or {}).get("rope_type", (scaling or {}).get("type", "default"))
    if scaling is None or kind == "default":
        return tuple(plain)
    if missing := [key for key in _NEEDED.get(kind, ()) if not isinstance(scaling.get(key), int | float)]:
        raise ModelError(f"config.json: the rope scaling {kind!r} has no {missing[0]}. Download the model again.")
    if kind == "linear":
        return tuple(f / float(scaling["factor"]) for f in plain)
    if kind == "llama3":
        return tuple(_llama3(f, scaling) for f in plain)
    if kind == "proportional":  # Gemma 4: the other pairs do not turn
        turning = int(float(scaling["partial_rotary_factor"]) * head_dim // 2)
        return tuple(f / float(scaling.get("factor", 1.0)) if i < turning else 0.0 for i, f in enumerate(plain))
    raise ModelError(
        f"The model's config asks for rope scaling of type {kind!r}, which Tunix would silently leave out. "
        "Supported are default, linear and llama3. Choose another model, or remove the scaling if your rows are short."
    )


def _llama3(frequency: float, scaling: Mapping[str, Any]) -> float:
    """Llama 3.1's rule: low frequencies are divided by `factor`, high ones kept, those between blended."""
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
    """Make `model` use these frequencies; the Tunix module of its class computes other ones.

    The model gets a subclass whose forward pass sets the frequencies while it is traced; the module's function is
    replaced, once for all models, by one that uses them and calls the old one for all other models.
    """
    _patch_module(module)
    base = type(model)
    model.rope_frequencies = frequencies
    model.__class__ = _subclass(base)


def _patch_module(module: Any) -> None:
    name = next(name for name in ("apply_rope", "_generate_pos_embeddings") if hasattr(module, name))
    original = getattr(module, name)
    if getattr(original, "heeds_frequencies", False):
        return

    @wraps(original)
    def heeding(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = _frequencies.get()
        if wanted is None:
            return original(inputs, *args, **kwargs)
        if name == "apply_rope":  # (inputs, positions, head_dim) -> rotated
            return rotate(inputs, kwargs["positions"] if "positions" in kwargs else args[0], wanted)
        return _sin_cos(inputs, wanted)  # (positions, head_dim, theta) -> sin, cos: Qwen 2 does it once for all layers

    heeding.heeds_frequencies = True  # type: ignore[attr-defined]
    setattr(module, name, heeding)


def _subclass(base: type) -> type:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _holding(self.rope_frequencies):
            return base.__call__(self, *args, **kwargs)

    # the Sampler inspects the signature, so it must be that of the base class
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

    sin, cos = (values[:, :, None, :] for values in _sin_cos(positions, frequencies))
    first, second = jnp.split(inputs.astype(jnp.float32), 2, axis=-1)
    rotated = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return rotated.astype(inputs.dtype)


def _sin_cos(positions: Any, frequencies: tuple[float, ...]) -> tuple[Any, Any]:
    """Both [batch, length, head_dim / 2] in float32, for positions [batch, length]."""
    import jax.numpy as jnp

    angles = positions[..., None].astype(jnp.float32) * jnp.asarray(frequencies, jnp.float32)
    return jnp.sin(angles), jnp.cos(angles)
