"""Values of weight files: not finite, constant, dead embeddings.

Files are read in blocks, without JAX. A model of up to 4 GiB is read whole; of a larger one, blocks are read at equal
distances, as a broken tensor is rarely broken in one place only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.tunix_backend.model.files.fit import is_sense
from tunixrt_core.tunix_backend.model.files.headers import Tensor, read_tensors

EMBEDDING = "model.embed_tokens.weight"
_READ_AT_MOST = 4 << 30
_BLOCK = 8 << 20
_FEW = 4096  # values: enough to see that a matrix is not constant
_MANY = 1 << 14  # values of each tensor for a share
# By type: NumPy's, and the bits of its exponent, which are all set in an infinity and in NaN.
_TYPES: dict[str, tuple[Any, int]] = {
    "F64": (np.float64, 0x7FF0_0000_0000_0000),
    "F32": (np.float32, 0x7F80_0000),
    "F16": (np.float16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),  # which NumPy does not have: the upper half of a float32
}
_FADED = 0.01  # of the median norm of an embedding


@dataclass(frozen=True, slots=True)
class WeightValues:
    """By tensor: `NaN` or `an infinity` where there is one, and the value of a matrix that has one only.

    `matrices` is their number in all: scales and biases may well be constant.
    """

    not_finite: Mapping[str, str]
    constant: Mapping[str, float]
    matrices: int


def look_at_values(directory: Path) -> WeightValues:
    """Read the weight files of a model. Files that did not change since the last look are not read again."""
    return _values(directory, tuple((file.name, _when(file)) for file in sorted(directory.glob("*.safetensors"))))


def dead_embeddings(directory: Path, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Of these tokens, those whose embedding is zero or nearly so, and those that share theirs with another of them."""
    table = _array(read_tensors(directory)[EMBEDDING])
    known = np.asarray([i for i in ids if i < len(table)])
    every = table[:: max(1, len(table) // _FEW)]
    median = float(np.median(np.linalg.norm(_floats(every), axis=1)))
    rows = _floats(table[known])
    faded = np.linalg.norm(rows, axis=1) <= _FADED * median
    _, first, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    shared = (counts[first.ravel()] > 1) & ~faded
    return known[faded].tolist(), known[shared].tolist()


def share_of_lost_updates(directory: Path, learning_rate: float) -> float:
    """The share of the weights that an update of this size leaves as they are where they are held in bfloat16.

    It is less than half a unit in the last place of them. AdamW's updates are about as large as the learning rate.
    """
    lost = total = 0.0
    places = np.random.RandomState(0)
    for tensor in read_tensors(directory).values():
        values = _array(tensor).ravel()
        # at random places: at equal distances they might all be of the same few columns
        few = _floats(values if len(values) <= _MANY else values[np.sort(places.randint(len(values), size=_MANY))])
        # w = m * 2**k with m from 0.5 to 1, and a bfloat16 has 8 bits of m: a unit is 2**(k - 8)
        half = np.ldexp(0.5, np.frexp(few)[1] - 8)
        lost += len(values) * float(np.mean((few != 0) & (half > learning_rate)))
        total += len(values)
    return lost / total


def _when(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=8)
def _values(directory: Path, files: Any) -> WeightValues:
    # Gemma 4's ears may have bounds that are infinite, which is how it says that there are none
    tensors = {name: tensor for name, tensor in read_tensors(directory).items() if not is_sense(name)}
    every = math.ceil(sum(tensor.end - tensor.begin for tensor in tensors.values()) / _READ_AT_MOST)
    not_finite, constant, matrices = {}, {}, 0
    for name, tensor in tensors.items():
        if found := _not_finite(tensor, every):
            not_finite[name] = found
        if len(tensor.shape) > 1 and math.prod(tensor.shape) > 1:
            matrices += 1
            if (value := _only_value(tensor)) is not None:
                constant[name] = value
    return WeightValues(not_finite, constant, matrices)


def _not_finite(tensor: Tensor, every: int) -> str:
    exponent = _TYPES[tensor.dtype][1]
    for block in _blocks(tensor, every):
        bits = block.view(f"u{block.itemsize}")
        if (broken := block[(bits & exponent) == exponent]).size:
            return "NaN" if np.isnan(_floats(broken)).any() else "an infinity"
    return ""


def _only_value(tensor: Tensor) -> float | None:
    few = _floats(_array(tensor).ravel()[:_FEW])
    first = few[0]
    if (few != first).any() or any((_floats(block) != first).any() for block in _blocks(tensor, 1)):
        return None
    return float(first)


def _blocks(tensor: Tensor, every: int) -> Iterator[Any]:
    values = _array(tensor).ravel()
    size = _BLOCK // values.itemsize
    return (values[first : first + size] for first in range(0, len(values), every * size))


def _array(tensor: Tensor) -> Any:
    """A tensor in its file, read where it is used."""
    return np.memmap(tensor.file, _TYPES[tensor.dtype][0], "r", tensor.begin, tensor.shape)


def _floats(values: Any) -> Any:
    if values.dtype == np.uint16:
        return (np.asarray(values, np.uint32) << 16).view(np.float32)
    return np.asarray(values, np.float32)
