"""Weight files checked against config.json by their headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
from tunixrt_core.tunix_backend.model.files.expected import expected_tensors
from tunixrt_core.tunix_backend.model.files.headers import Tensor, read_tensors

_SHOWN = 3  # problems in a message; all of them are in the error's details
# Buffers of older files, and the parts of Gemma 3 and 4 for pictures and sound: not read, and exported unchanged.
_LEFT_ALONE = re.compile(r"(.*\.)?rotary_emb\.inv_freq")
_SENSES = {
    "gemma3": re.compile(r"(vision_tower|multi_modal_projector)\..*"),
    "gemma4": re.compile(r"model\.(vision_tower|audio_tower|embed_vision|embed_audio)\..*"),
}
_KEYS_AND_VALUES = re.compile(r"model\.layers\.(\d+)\.self_attn\.(k_proj|v_proj|k_norm)\.weight")
_LAYER = re.compile(r"(?<=\blayers\.)\d+(?=\.)")
_EXPERT = re.compile(r"(?<=\bexperts\.)\d+(?=\.)")


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
