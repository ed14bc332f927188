"""FLOP of matrix products and of attention kernels."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from tunixrt_core.tunix_backend.ahead.hlo_text import Array, Instruction


def matmul_flops(instruction: Instruction, left: Array, right: Array) -> float:
    """FLOP of a `dot` or `convolution` (which a TPU makes of a dot): 2 for each product that enters a sum."""
    if instruction.op == "dot":
        contracted = _numbers(instruction.attributes, "lhs_contracting_dims")
        return 2.0 * instruction.leaves[0].elements * math.prod(left.dims[axis] for axis in contracted)
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", instruction.attributes)
    assert labels is not None, "every convolution names its dimensions"
    of_left, of_right, of_out = labels[1], labels[2], labels[3]
    out = instruction.leaves[0]
    inputs = right.dims[of_right.index("i")]
    features, rows = out.dims[of_out.index("f")], out.dims[of_out.index("b")]
    batch_groups = re.search(r"batch_group_count=(\d+)", instruction.attributes)
    window = _window(instruction.attributes)
    pairs = 1
    for axis in sorted(set(of_out) - {"b", "f"}):
        size = {name: window.get(name, {}).get(axis) for name in ("stride", "pad", "lhs_dilate", "rhs_dilate")}
        pairs *= _pairs(
            left.dims[of_left.index(axis)],
            right.dims[of_right.index(axis)],
            out.dims[of_out.index(axis)],
            int(size["stride"] or 1),
            int((size["pad"] or "0").split("_")[0]),
            int(size["lhs_dilate"] or 1),
            int(size["rhs_dilate"] or 1),
        )
    return 2.0 * inputs * features * rows * pairs / (int(batch_groups[1]) if batch_groups else 1)


def attention_flops(kernel: str, operands: tuple[Array, ...], results: tuple[Array, ...], share: float) -> float | None:
    """FLOP of one call of JAX's splash attention, by its name; None for another kernel.

    `share` of length x length pairs are computed: about half of them where attention is causal. Forward 2 products per
    pair, for the gradient of the queries 3, for those of keys and values 4, or 5 where one kernel computes all three
    (Dao 2023, "FlashAttention-2", section 3.1).
    """
    products = next((count for name, count in _PRODUCTS.items() if re.search(name, kernel)), None)
    wide = [array for array in operands if len(array.dims) >= 3 and array.kind in ("bf16", "f32", "f16")]
    if products is None or not wide:
        return None
    query = wide[0]  # what is known of the mask comes before it, keys and values after it
    if products == 4 and sum(len(array.dims) >= len(query.dims) for array in results) > 2:
        products = 5  # the gradient of the queries is a third result
    return 2.0 * products * query.elements * query.dims[-2] * share


_PRODUCTS = {"splash_m[hq]a_fwd": 2, "splash_m[hq]a_dq": 3, "splash_m[hq]a_dkv": 4}


def _numbers(text: str, name: str) -> list[int]:
    found = re.search(rf"{name}=\{{([\d,]*)\}}", text)
    return [int(number) for number in found[1].split(",") if number] if found else []


def _window(text: str) -> dict[str, dict[str, str]]:
    """The window of a convolution: name -> axis label -> value."""
    found = re.search(r"window=\{([^}]*)\}", text)
    if not found:
        return {}
    fields = dict(part.split("=", 1) for part in found[1].split())
    return {name: {str(axis): value for axis, value in enumerate(values.split("x"))} for name, values in fields.items()}


@lru_cache(maxsize=4096)
def _pairs(left: int, right: int, out: int, stride: int, pad: int, left_dilate: int, right_dilate: int) -> int:
    """Pairs of output and window places that meet an element of the left array, not padding or a gap."""
    if left_dilate == 1 and pad == 0 and (out - 1) * stride + (right - 1) * right_dilate < left:
        return out * right
    count = 0
    for place in range(out):
        for offset in range(right):
            at = place * stride - pad + offset * right_dilate
            count += at % left_dilate == 0 and 0 <= at // left_dilate < left
    return count
