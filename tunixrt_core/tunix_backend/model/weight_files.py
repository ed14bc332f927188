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
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
from tunixrt_core.util.files.regular import open_regular, read_text

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # of a value, by the types that Tunix reads
_LARGEST_HEADER = 100 << 20
_INDEX = "model.safetensors.index.json"
_NORMED_HEADS = ("qwen3", "qwen3_moe", "gemma3", "gemma3_text", "gemma4", "gemma4_text")
_SHOWN = 3  # problems in a message; all of them are in the error's details

# Buffers of older files, and the parts of Gemma 3 and 4 for pictures and sound: not read, and exported unchanged.
_LEFT_ALONE = re.compile(r"(.*\.)?rotary_emb\.inv_freq")
_SENSES = {
    "gemma3": re.compile(r"(vision_tower|multi_modal_projector)\..*"),
    "gemma4": re.compile(r"model\.(vision_tower|audio_tower|embed_vision|embed_audio)\..*"),
}
_TEXT_PART = re.compile(r"^(model\.)?language_model\.")
_KEYS_AND_VALUES = re.compile(r"model\.layers\.(\d+)\.self_attn\.(k_proj|v_proj|k_norm)\.weight")
_LAYER = re.compile(r"(?<=\blayers\.)\d+(?=\.)")
_EXPERT = re.compile(r"(?<=\bexperts\.)\d+(?=\.)")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a weight file, from byte `begin` to before `end` of the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def is_sense(name: str) -> bool:
    """Whether a tensor is of the parts of a model that see or hear, which are not read."""
    return any(sense.fullmatch(name) for sense in _SENSES.values())


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
    if a.gemma4 and (size := a.gemma4.per_layer_dim):
        tensors["model.embed_tokens_per_layer.weight"] = (vocabulary, a.layers * size)
        tensors["model.per_layer_model_projection.weight"] = (a.layers * size, a.embed_dim)
        tensors["model.per_layer_projection_norm.weight"] = (size,)
    for i in range(a.layers):
        tensors |= {f"model.layers.{i}.{name}": shape for name, shape in _layer_tensors(a, i)}
    return tensors


def parameter_count(architecture: Architecture) -> int:
    """The number of parameters of a model of this architecture."""
    return sum(math.prod(shape) for shape in expected_tensors(architecture).values())


def idle_parameters(architecture: Architecture) -> int:
    """Of these, the number that a token is not multiplied with: experts not chosen, and embeddings per layer."""
    a = architecture
    embeddings = (a.vocab_size or 0) * a.layers * a.gemma4.per_layer_dim if a.gemma4 else 0
    return embeddings + idle_experts(a)


def idle_experts(architecture: Architecture) -> int:
    """Parameters of the experts that a token does not use, over all layers."""
    a = architecture
    if a.experts is None:
        return 0
    return 3 * (a.experts.count - a.experts.per_token) * a.layers * a.embed_dim * a.hidden_dim


def text_name(name: str) -> str:
    """The name of a tensor as a model for text alone has it; a model for pictures too puts its text part apart."""
    return _TEXT_PART.sub(r"\1", name)


def _layer_tensors(a: Architecture, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    gemma, size = a.kind.startswith("gemma"), a.head_dim_of(layer)
    projections = [("q", a.heads)]
    if a.lender(layer) == layer:
        projections += [("k", a.kv_heads), ("v", a.kv_heads)]
    for name, heads in projections:
        yield f"self_attn.{name}_proj.weight", (heads * size, a.embed_dim)
        if a.kind == "qwen2":
            yield f"self_attn.{name}_proj.bias", (heads * size,)
        if name != "v" and a.kind in _NORMED_HEADS:
            yield f"self_attn.{name}_norm.weight", (size,)
    yield "self_attn.o_proj.weight", (a.embed_dim, a.heads * size)
    yield from _mlp_tensors(a, layer)
    norms = ("input", "post_attention", "pre_feedforward", "post_feedforward") if gemma else ("input", "post_attention")
    yield from ((f"{name}_layernorm.weight", (a.embed_dim,)) for name in norms)
    if a.gemma4:
        yield "layer_scalar", (1,)
        if per_layer := a.gemma4.per_layer_dim:
            yield "per_layer_input_gate.weight", (per_layer, a.embed_dim)
            yield "per_layer_projection.weight", (a.embed_dim, per_layer)
            yield "post_per_layer_input_norm.weight", (a.embed_dim,)


def _mlp_tensors(a: Architecture, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden = a.hidden_dim_of(layer)
    if a.experts:
        yield "mlp.gate.weight", (a.experts.count, a.embed_dim)
    for place in [f"experts.{i}." for i in range(a.experts.count)] if a.experts else [""]:
        yield from ((f"mlp.{place}{name}_proj.weight", (hidden, a.embed_dim)) for name in ("gate", "up"))
        yield f"mlp.{place}down_proj.weight", (a.embed_dim, hidden)


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
        sense = architecture.kind in _SENSES and _SENSES[architecture.kind].fullmatch(name)
        borrowed = architecture.gemma4 and _borrowed(architecture, name)
        if not (tied_head or sense or borrowed or _LEFT_ALONE.fullmatch(name)):
            yield name


def _borrowed(architecture: Architecture, name: str) -> bool:
    """Whether the tensor is of the keys and values of a layer that uses those of another, so that nothing reads it."""
    found = _KEYS_AND_VALUES.fullmatch(name)
    return found is not None and architecture.lender(int(found[1])) != int(found[1])


def _text_layer(name: str) -> re.Match[str] | None:
    return None if is_sense(name) else _LAYER.search(name)


def _within(name: str, layers: range) -> bool:
    found = _text_layer(name)
    return found is None or int(found[0]) in layers


def _by_layer(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The first of each group of names that differ only by their layer, and the number of the others as text."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: [int(part) if part.isdigit() else -1 for part in name.split(".")]):
        groups.setdefault(_EXPERT.sub("*", _LAYER.sub("*", name)), []).append(name)
    for group in groups.values():
        places = "layers or experts" if _EXPERT.search(group[0]) else "layers"
        yield group[0], f" (and in {len(group) - 1} more {places})" if len(group) > 1 else ""


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
