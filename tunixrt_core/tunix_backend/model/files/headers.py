"""Tensors of weight files by the headers of the files, without their values.

Format: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.util.files.regular import open_regular, read_text

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # of a value, by the types that Tunix reads
_LARGEST_HEADER = 100 << 20
_INDEX = "model.safetensors.index.json"
_SHOWN = 3  # problems in a message; all of them are in the error's details
_TEXT_PART = re.compile(r"^(model\.)?language_model\.")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a weight file, from byte `begin` to before `end` of the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def text_name(name: str) -> str:
    """The name of a tensor as a model for text alone has it; a model for pictures too puts its text part apart."""
    return _TEXT_PART.sub(r"\1", name)


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """Every tensor of the directory's *.safetensors by its `text_name`.

    Raises ModelError where there are none, where a file is truncated or missing though the index names it, where a name
    is in two files, and where types are mixed or unknown, which Tunix would misread.
    """
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise ModelError(f"There are no *.safetensors files in {directory}. Download the model's weights.")
    _check_index(directory)
    tensors: dict[str, Tensor] = {}
    for file in files:
        for full_name, tensor in tensors_of(file):
            name = text_name(full_name)
            if name in tensors:
                raise ModelError(
                    f"{name} is both in {tensors[name].file.name} and in {file.name}, and Tunix would load either one. "
                    f"Keep only the files of one model in {directory}."
                )
            tensors[name] = tensor
    types = {tensor.dtype for tensor in tensors.values()}
    if len(types) > 1:
        raise ModelError(
            f"The weight files in {directory} mix the types {', '.join(sorted(types))}, which Tunix would misread. "
            "Save the model in one type."
        )
    return tensors


def _check_index(directory: Path) -> None:
    try:
        index = json.loads(read_text(directory / _INDEX, follow=True))
    except FileNotFoundError:
        return
    except BrokenFile as error:
        raise ModelError(f"{directory / _INDEX} {error.reason}. Download it again.") from None
    except ValueError:
        raise ModelError(f"{directory / _INDEX} is not JSON. Download it again.") from None
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict):
        raise ModelError(f"{directory / _INDEX} has no weight_map. Download it again.")
    if missing := sorted({str(file) for file in named.values() if not (directory / str(file)).is_file()}):
        raise ModelError(
            f"{_INDEX} names {', '.join(missing[:_SHOWN])}, which {'is' if len(missing) == 1 else 'are'} not in "
            f"{directory}. Download the model again."
        )


def tensors_of(file: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one file with their full names, from its header. Raises ModelError where it is broken."""
    total = file.stat().st_size
    with _opened(file) as handle:
        size = struct.unpack("<Q", handle.read(8).ljust(8, b"\0"))[0]
        try:
            header: Any = json.loads(handle.read(min(size, _LARGEST_HEADER)))
        except ValueError:
            header = None
    if not isinstance(header, dict):
        raise ModelError(f"{file} is not a whole safetensors file. Download it again.")
    for name, entry in header.items():
        if name != "__metadata__":
            yield name, _tensor(file, name, entry, 8 + size, total)


def _opened(file: Path) -> BinaryIO:
    try:
        return open_regular(file, follow=True)
    except BrokenFile as error:
        raise ModelError(f"{file} {error.reason}. Download it again.") from None


def _tensor(file: Path, name: str, entry: Mapping[str, Any], start: int, total: int) -> Tensor:
    try:
        dtype, shape = str(entry["dtype"]), tuple(int(n) for n in entry["shape"])
        begin, end = (start + int(n) for n in entry["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise ModelError(f"The header of {file} is broken at {name}. Download it again.") from None
    if dtype not in _BYTES:
        raise ModelError(
            f"{name} in {file} has the type {dtype}; Tunix reads {', '.join(_BYTES)}. Use the model in one of these."
        )
    if end > total or end - begin != math.prod(shape) * _BYTES[dtype]:
        raise ModelError(f"{file} is truncated or broken at {name}: it has {total:,} bytes. Download it again.")
    return Tensor(file, dtype, shape, begin, end)
