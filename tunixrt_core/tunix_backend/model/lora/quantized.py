"""Quantised weights, and the quantisation of others as one program per shape."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import qwix

from tunixrt_core.manifest.sections import LoraSection, Quantization


class QuantizingLoraProvider(qwix.LoraProvider):
    """A quantising LoraProvider that works with models that cast a weight before they use it, as Qwen's do."""

    def get_intercept_map(self) -> dict[str, Any]:
        """As LoraProvider's, with the cast of a weight."""
        return {**super().get_intercept_map(), "jax.numpy.astype": self.astype}

    def astype(self, x: Any, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """jax.numpy.astype, also for a quantised weight."""
        if not is_quantized(x):
            return jnp.astype(x, dtype, *args, **kwargs)
        # qwix finds the weight's name by this object; a cast would make another object
        return x if x.dtype == dtype else x.astype(dtype)


def quantization(section: LoraSection) -> dict[str, Any]:
    """How LoraProvider quantises the weights of its modules."""
    qtype = "nf4" if section.quantization is Quantization.NF4 else jnp.int8
    return {"weight_qtype": qtype, "tile_size": section.tile_size}


def is_quantized(value: Any) -> bool:
    """Whether this is qwix's replacement of a quantised weight: its `array` is a qwix.QArray."""
    return isinstance(getattr(value, "array", None), qwix.QArray)


def dequantize(value: Any) -> Any:
    """A quantised weight, dequantised, in the type of its scales."""
    return _dequantize(value.value.array)


_dequantize = jax.jit(qwix.dequantize)  # one program for each shape


def quantize(weight: Any, how: Any) -> qwix.QArray:
    """The weight quantised as qwix's `how` says, with the same bits as operation by operation."""
    channels, tiles = tuple(sorted(how.channelwise_axes)), tuple(sorted(how.tiled_axes.items()))
    return _quantize(weight, how.qtype, channels, tiles, how.calibration_method)


@partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _quantize(weight: Any, qtype: Any, channels: Any, tiles: Any, method: str) -> qwix.QArray:
    return qwix.quantize(weight, qtype, channelwise_axes=channels, tiled_axes=dict(tiles), calibration_method=method)
