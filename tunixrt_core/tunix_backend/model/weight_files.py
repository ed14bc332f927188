"""Weight files checked against config.json by their headers."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture, read_architecture
from tunixrt_core.util.files.regular import open_regular, read_text

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # of a value, by the types that Tunix reads
_LARGEST_HEADER = 100 << 20
_INDEX = "model.safetensors.index.json"
_SHOWN = 3  # problems in a message; all of them are in the error's details

# Buffers of older files, and the vision parts of Gemma 3: not read, and exported unchanged.
_LEFT_ALONE = re.compile(r"(.*\.)?rotary_emb\.inv_freq")
_PICTURES = re.compile(r"(vision_tower|multi_modal_projector)\..*")
_LAYER = re.compile(r"(?<=\blayers\.)\d+(?=\.)")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a weight file, from byte `begin` to before `end` of the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def check_weights(directory: Path) -> Architecture:
    """The architecture that config.json and the weight files agree on, including the vocabulary.

    Reads headers, not weights (except an output head that is stored beside the embedding it is tied to). Raises
    ModelError for a broken file and for any tensor that is missing, unexpected, or of another shape: Tunix would
    silently load most of these. `details["problems"]` lists all of them.
    """
    architecture = read_architecture(directory)
    tensors = read_tensors(directory)
    found = tensors.get("model.embed_tokens.weight")
    if architecture.vocab_size is None and found is not None:
        architecture = replace(architecture, vocab_size=found.shape[0])
    if problems := list(_problems(architecture, tensors)):
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ModelError(
            f"The weights in {directory} do not fit their config.json: {'; '.join(problems[:_SHOWN])}{more}. "
            "Download the model again.",
            details={"problems": problems},
        )
    return architecture


def expected_tensors(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a model of this architecture, by Hugging Face name."""
    a = architecture
    vocabulary = a.vocab_size or 0
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, a.embed_dim),
        "model.norm.weight": (a.embed_dim,),
    }
    if not a.tied:
        tensors["lm_head.weight"] = (vocabulary, a.embed_dim)
    of_layer = dict(_layer_tensors(a))
    for i in range(a.layers):
        tensors |= {f"model.layers.{i}.{name}": shape for name, shape in of_layer.items()}
    return tensors


def parameter_count(architecture: Architecture) -> int:
    """The number of parameters of a model of this architecture."""
    return sum(math.prod(shape) for shape in expected_tensors(architecture).values())


def _layer_tensors(a: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    gemma = a.kind.startswith("gemma")
    for name, heads in (("q", a.heads), ("k", a.kv_heads), ("v", a.kv_heads)):
        yield f"self_attn.{name}_proj.weight", (heads * a.head_dim, a.embed_dim)
        if a.kind == "qwen2":
            yield f"self_attn.{name}_proj.bias", (heads * a.head_dim,)
    yield "self_attn.o_proj.weight", (a.embed_dim, a.heads * a.head_dim)
    if a.kind in ("qwen3", "gemma3", "gemma3_text"):
        yield from ((f"self_attn.{name}_norm.weight", (a.head_dim,)) for name in ("q", "k"))
    yield "mlp.gate_proj.weight", (a.hidden_dim, a.embed_dim)
    yield "mlp.up_proj.weight", (a.hidden_dim, a.embed_dim)
    yield "mlp.down_proj.weight", (a.embed_dim, a.hidden_dim)
    norms = ("input", "post_attention", "pre_feedforward", "post_feedforward") if gemma else ("input", "post_attention")
    yield from ((f"{name}_layernorm.weight", (a.embed_dim,)) for name in norms)


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """Every tensor of the directory's *.safetensors by name, without the prefix `language_model.` of Gemma 3.

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
            name = full_name.removeprefix("language_model.")
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


def _problems(architecture: Architecture, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    expected = expected_tensors(architecture)
    layers = 1 + max((int(found[0]) for name in tensors if (found := _text_layer(name))), default=-1)
    if layers != architecture.layers:
        yield f"config.json says {architecture.layers} layers, the weight files hold {layers}"
        inside = range(min(layers, architecture.layers))
        expected = {name: shape for name, shape in expected.items() if _within(name, inside)}
        tensors = {name: tensor for name, tensor in tensors.items() if _within(name, inside)}
    for name, others in _by_layer(expected.keys() - tensors.keys()):
        why = " though config.json says tie_word_embeddings = false" if name == "lm_head.weight" else ""
        yield f"{name}{others} is missing{why}"
    for name, others in _by_layer(_unplaced(architecture, expected, tensors)):
        yield f"{tensors[name].file.name} holds {name}{others}, which the model does not have"
    wrong = {name for name in expected.keys() & tensors.keys() if tensors[name].shape != expected[name]}
    for name, others in _by_layer(wrong):
        yield f"{name}{others} is {_shape(tensors[name].shape)}, config.json makes it {_shape(expected[name])}"
    head, embedding = tensors.get("lm_head.weight"), tensors.get("model.embed_tokens.weight")
    if architecture.tied and head and embedding and not _same(head, embedding):
        yield "lm_head.weight is not the embedding, though config.json ties them (tie_word_embeddings = true)"


def _unplaced(
    architecture: Architecture, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]
) -> Iterator[str]:
    for name in tensors.keys() - expected.keys():
        tied_head = name == "lm_head.weight" and architecture.tied
        pictures = architecture.kind == "gemma3" and _PICTURES.fullmatch(name)
        if not (tied_head or pictures or _LEFT_ALONE.fullmatch(name)):
            yield name


def _text_layer(name: str) -> re.Match[str] | None:
    return None if _PICTURES.fullmatch(name) else _LAYER.search(name)


def _within(name: str, layers: range) -> bool:
    found = _text_layer(name)
    return found is None or int(found[0]) in layers


def _by_layer(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The first of each group of names that differ only by their layer, and the number of the others as text."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: [int(part) if part.isdigit() else -1 for part in name.split(".")]):
        groups.setdefault(_LAYER.sub("*", name), []).append(name)
    for group in groups.values():
        yield group[0], f" (and in {len(group) - 1} more layers)" if len(group) > 1 else ""


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bytes; read in pieces, as they are large."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    piece = 1 << 24
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.begin)
        second.seek(other.begin)
        for left in range(one.end - one.begin, 0, -piece):
            if first.read(min(piece, left)) != second.read(min(piece, left)):
                return False
    return True
