"""Weight files that are whole and fit their config.json pass; every other way is named by its tensor."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.helpers.families import DIM, KINDS, VOCAB, config_of
from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
from tunixrt_core.tunix_backend.model.files.expected import expected_tensors
from tunixrt_core.tunix_backend.model.files.fit import check_weights

Shapes = dict[str, tuple[int, ...]]


def write(file: Path, shapes: Shapes, dtypes: dict[str, str] | None = None, fill: bytes = b"\0") -> None:
    """A safetensors file whose tensors are all `fill`."""
    header: dict[str, Any] = {}
    place = 0
    for name, shape in shapes.items():
        dtype = (dtypes or {}).get(name, "F32")
        size = math.prod(shape) * (2 if dtype in ("F16", "BF16") else 4)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps({**header, "__metadata__": {"format": "pt"}}).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + fill * place)


def make(directory: Path, kind: str = "qwen3", *, tied: bool = True, **changes: Any) -> Shapes:
    """The config of a model in a directory. Returns the shapes that belong to it."""
    config = config_of(kind, tied=tied, **changes)
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    return expected_tensors(architecture_of(config))


def refused(directory: Path) -> list[str]:
    with pytest.raises(ModelError) as raised:
        check_weights(directory)
    return list(raised.value.details.get("problems", [str(raised.value)]))


@pytest.mark.parametrize(
    ("kind", "tied"), [*((kind, True) for kind in KINDS), ("qwen2", False), ("qwen3", False), ("llama", False)]
)
def test_files_that_belong_to_their_config_pass(tmp_path: Path, kind: str, tied: bool) -> None:
    write(tmp_path / "model.safetensors", make(tmp_path, kind, tied=tied))
    assert check_weights(tmp_path) == architecture_of(config_of(kind, tied=tied))


def test_keys_and_values_that_a_layer_borrows_may_be_in_the_files(tmp_path: Path) -> None:
    shapes = make(tmp_path, "gemma4_text")
    for name in ("k_proj", "v_proj", "k_norm"):
        assert f"model.layers.2.self_attn.{name}.weight" not in shapes
        shapes[f"model.layers.2.self_attn.{name}.weight"] = (7,)
    write(tmp_path / "model.safetensors", shapes)
    check_weights(tmp_path)
    write(tmp_path / "model.safetensors", {**shapes, "model.layers.2.self_attn.v_norm.weight": (7,)})
    assert refused(tmp_path) == [
        "model.safetensors holds model.layers.2.self_attn.v_norm.weight, which the model does not have"
    ]


def test_a_missing_expert_is_named_once_for_all(tmp_path: Path) -> None:
    shapes = make(tmp_path, "qwen3_moe")
    lost = {name for name in shapes if "experts" in name and "up_proj" in name}
    write(tmp_path / "model.safetensors", {name: shape for name, shape in shapes.items() if name not in lost})
    assert refused(tmp_path) == [
        "model.layers.0.mlp.experts.0.up_proj.weight (and in 7 more layers or experts) is missing"
    ]


def test_what_a_model_sees_and_hears_with_is_left_alone(tmp_path: Path) -> None:
    text = config_of("gemma4_text")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma4", "text_config": text}))
    shapes = {f"model.language_{name}": shape for name, shape in expected_tensors(architecture_of(text)).items()}
    senses = ("vision_tower.encoder.layers.9.mlp", "audio_tower.layers.7.norm", "embed_vision.p", "embed_audio.p")
    shapes |= {f"model.{name}.weight": (3,) for name in senses}
    write(tmp_path / "model.safetensors", shapes)
    assert check_weights(tmp_path).kind == "gemma4"


@pytest.mark.parametrize(
    ("kind", "lost", "problem"),
    [
        (
            "qwen3",
            ".self_attn.q_norm.weight",
            "model.layers.0.self_attn.q_norm.weight (and in 1 more layers) is missing",
        ),
        ("qwen2", "layers.1.self_attn.k_proj.bias", "model.layers.1.self_attn.k_proj.bias is missing"),
        ("gemma2", "model.norm.weight", "model.norm.weight is missing"),
    ],
)
def test_a_parameter_that_no_tensor_fills_is_named(tmp_path: Path, kind: str, lost: str, problem: str) -> None:
    shapes = make(tmp_path, kind)
    write(tmp_path / "model.safetensors", {name: shape for name, shape in shapes.items() if lost not in name})
    assert refused(tmp_path) == [problem]


def test_an_output_head_must_be_there_as_the_config_says(tmp_path: Path) -> None:
    untied, head = make(tmp_path, tied=False), {"lm_head.weight": (VOCAB, DIM)}
    tied = {name: shape for name, shape in untied.items() if name not in head}
    write(tmp_path / "model.safetensors", tied)
    assert refused(tmp_path) == ["lm_head.weight is missing though config.json says tie_word_embeddings = false"]
    make(tmp_path, tied=True)
    write(tmp_path / "model.safetensors", tied | head)
    check_weights(tmp_path)  # a copy of the embedding says nothing new
    write(tmp_path / "model.safetensors", tied)
    write(tmp_path / "head.safetensors", head, fill=b"\1")
    assert ["is not the embedding" in problem for problem in refused(tmp_path)] == [True]


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("qwen3", "model.layers.0.self_attn.q_proj.bias"),
        ("llama", "model.layers.0.self_attn.q_norm.weight"),
        ("gemma2", "model.layers.0.self_attn.k_norm.weight"),
        ("qwen2", "score.weight"),
        ("gemma3_text", "vision_tower.encoder.layers.0.weight"),
    ],
)
def test_a_tensor_that_the_model_has_no_place_for_is_named(tmp_path: Path, kind: str, extra: str) -> None:
    shapes = make(tmp_path, kind)
    write(tmp_path / "model.safetensors", {**shapes, extra: (4,)})
    assert refused(tmp_path) == [f"model.safetensors holds {extra}, which the model does not have"]


def test_old_buffers_and_the_eyes_of_gemma_3_are_left_alone(tmp_path: Path) -> None:
    shapes = make(tmp_path, "llama")
    write(tmp_path / "model.safetensors", {**shapes, "model.layers.0.self_attn.rotary_emb.inv_freq": (8,)})
    check_weights(tmp_path)
    text = config_of("gemma3_text")
    del text["vocab_size"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": text}))
    shapes = expected_tensors(architecture_of(config_of("gemma3_text")))
    seeing = {f"language_model.{name}": shape for name, shape in shapes.items()}
    write(tmp_path / "model.safetensors", {**seeing, "vision_tower.encoder.layers.30.weight": (4,)})
    assert check_weights(tmp_path).vocab_size == VOCAB


def test_layers_too_many_or_too_few_are_counted(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    write(tmp_path / "model.safetensors", shapes)
    for layers in (1, 3):
        make(tmp_path, num_hidden_layers=layers)
        assert refused(tmp_path) == [f"config.json says {layers} layers, the weight files hold 2"]


def test_another_shape_is_named_by_its_tensor(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    write(tmp_path / "model.safetensors", {**shapes, "model.layers.1.mlp.up_proj.weight": (65, DIM)})
    assert refused(tmp_path) == ["model.layers.1.mlp.up_proj.weight is 65 x 48, config.json makes it 64 x 48"]
    write(tmp_path / "model.safetensors", shapes)
    make(tmp_path, vocab_size=VOCAB + 1)
    assert refused(tmp_path) == ["model.embed_tokens.weight is 512 x 48, config.json makes it 513 x 48"]


def test_the_message_shows_three_problems_and_counts_the_rest(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    write(tmp_path / "model.safetensors", {name: shape for name, shape in shapes.items() if "mlp" not in name})
    make(tmp_path, num_key_value_heads=1)
    with pytest.raises(ModelError, match=r"gate_proj.*; and 2 more\. Download the model again"):
        check_weights(tmp_path)


def test_an_index_must_find_its_files(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    files = {name: f"model-{i % 2 + 1:05d}-of-00002.safetensors" for i, name in enumerate(shapes)}
    for file in set(files.values()):
        write(tmp_path / file, {name: shape for name, shape in shapes.items() if files[name] == file})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    check_weights(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "names model-00002-of-00002.safetensors, which is not in" in refused(tmp_path)[0]
    for content in ("{", "[]", "{}"):
        index.write_text(content)
        assert "model.safetensors.index.json" in refused(tmp_path)[0]


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    for name in ("consolidated.safetensors", "model.safetensors"):
        write(tmp_path / name, shapes)
    assert "is both in consolidated.safetensors and in model.safetensors" in refused(tmp_path)[0]


def test_types_that_are_mixed_or_unknown_are_refused(tmp_path: Path) -> None:
    shapes = make(tmp_path)
    write(tmp_path / "model.safetensors", shapes, {"model.norm.weight": "F16"})
    assert "mix the types F16, F32" in refused(tmp_path)[0]
    write(tmp_path / "model.safetensors", shapes, {"model.norm.weight": "I32"})
    assert "has the type I32; Tunix reads F64, F32, F16, BF16" in refused(tmp_path)[0]


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"[]", b"\x02" + b"\0" * 7 + b"{"])
def test_what_is_no_weight_file_is_refused(tmp_path: Path, content: bytes) -> None:
    make(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    assert "not a whole safetensors file" in refused(tmp_path)[0]


@pytest.mark.parametrize("entry", [{}, {"dtype": "F32", "shape": 4, "data_offsets": [0, 4]}, 3])
def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path, entry: Any) -> None:
    make(tmp_path)
    text = json.dumps({"model.norm.weight": entry}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    assert "header" in refused(tmp_path)[0]


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", make(tmp_path))
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-1])
    assert "is truncated or broken at model.layers.1" in refused(tmp_path)[0]


def test_a_directory_without_weights_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    assert "no *.safetensors" in refused(tmp_path)[0]
