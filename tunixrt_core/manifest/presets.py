"""Presets of hyperparameters by method and model family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BrokenFile
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.traces.rendering.chats import CHAT_FORMAT_OF_FAMILY, ChatFormat
from tunixrt_core.util.files.disks import require_answer
from tunixrt_core.util.files.regular import read_text

_ALL: dict[str, Any] = {"batch_size": 4, "packing": True, "max_seq_length": 1024, "epochs": 2}
_LORA: dict[str, Any] = {"lora_rank": 16, "lora_alpha": 32.0, "learning_rate": 2e-4, **_ALL}
# Defaults of the dashboard, the API and `tunixrt manifest`, by method, for a pretrained model.
PRESETS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", **_LORA},
    "qlora": {"method": "qlora", "quantization": "nf4", "tile_size": 32, **_LORA},
    "full": {"method": "full", "learning_rate": 1e-5, **_ALL},
}
# Exceptions by family. Gemma's embeddings are large and tied to its output: it becomes unstable easily.
_OF_FAMILY: dict[str, dict[str, dict[str, Any]]] = {
    "gemma": {"lora": {"learning_rate": 1e-4}, "qlora": {"learning_rate": 1e-4}, "full": {"learning_rate": 5e-6}},
}
# The built-in models are untrained, so they need large steps and many of them; rows are padded to the longest one,
# so a large max_seq_length costs nothing.
_BUILT_IN: dict[str, Any] = {"batch_size": 32, "packing": False, "max_seq_length": 512, "epochs": 20}
_BUILT_IN_OF_METHOD: dict[str, dict[str, Any]] = {
    "full": {"learning_rate": 3e-3, "max_grad_norm": 1.0, "weight_decay": 0.01},
    "qlora": {"tile_size": 16},
}


def preset(model_id: str, method: str | None = None) -> dict[str, Any]:
    """The hyperparameters to start from for a model, by flat name; without a method, the one to start from."""
    chat = {"chat": guess_chat_format(model_id).value}
    if model_id in BUILTIN_MODEL_IDS:
        kind = method if method in PRESETS else "full"
        return {**PRESETS[kind], **_BUILT_IN, **_BUILT_IN_OF_METHOD.get(kind, {}), **chat}
    kind = method if method in PRESETS else "lora"
    return {**PRESETS[kind], **_OF_FAMILY.get(_family(model_id), {}).get(kind, {}), **chat}


def guess_chat_format(model_id: str) -> ChatFormat:
    """From the chat template or the type in a model's directory, else from its name; ChatML if neither decides.

    Raises UnreadableFile for a directory in a network folder that is stuck.
    """
    folder = Path(model_id).expanduser()
    require_answer(folder)
    template = _chat_template(folder)
    for chat, marks in _MARKS.items():
        if all(mark in template for mark in marks):
            return chat
    kind = str(_read_json(folder / "config.json").get("model_type", ""))
    if kind in _FORMAT_OF_TYPE:
        return _FORMAT_OF_TYPE[kind]
    return next((chat for part, chat in _FORMAT_OF_NAME.items() if part in _name(model_id)), ChatFormat.CHATML)


# what a template of each format holds; the particular before the general
_MARKS = {
    ChatFormat.QWEN25: ("<|im_start|>", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    # Qwen 3 too: by default it is prompted to think, whatever the style; qwen3 is for prompts without thinking
    ChatFormat.CHATML: ("<|im_start|>",),
    ChatFormat.GEMMA3: ("<start_of_turn>", "first_user_prefix"),
    ChatFormat.GEMMA: ("<start_of_turn>",),
    ChatFormat.GEMMA4: ("<|turn>", "<|channel>"),
    ChatFormat.LLAMA31: ("<|start_header_id|>", "Cutting Knowledge Date"),
    ChatFormat.LLAMA3: ("<|start_header_id|>",),
}
_FORMAT_OF_TYPE = {
    **CHAT_FORMAT_OF_FAMILY,
    "gemma3_text": ChatFormat.GEMMA,
    "gemma4_text": ChatFormat.GEMMA4,
    "llama": ChatFormat.LLAMA3,
}
# the particular before the general
_FORMAT_OF_NAME = {"gemma-4": ChatFormat.GEMMA4, "gemma": ChatFormat.GEMMA, "llama": ChatFormat.LLAMA3}


def _family(model_id: str) -> str:
    kind = str(_read_json(Path(model_id).expanduser() / "config.json").get("model_type", ""))
    return "gemma" if kind.startswith("gemma") else kind or _family_by_name(model_id)


def _family_by_name(model_id: str) -> str:
    return next((family for family in ("gemma", "llama") if family in _name(model_id)), "")


def _name(model_id: str) -> str:
    if model_id.startswith("kaggle:"):  # kaggle:owner/model/framework/variation
        return model_id.casefold()
    return model_id.rstrip("/").rsplit("/", 1)[-1].casefold()


def _chat_template(folder: Path) -> str:
    """The text of the model's own chat template, in either file; empty if there is none."""
    try:
        return read_text(folder / "chat_template.jinja", follow=True)
    except (FileNotFoundError, BrokenFile):
        return json.dumps(_read_json(folder / "tokenizer_config.json").get("chat_template") or "", ensure_ascii=False)


def _read_json(path: Path) -> dict[str, Any]:
    """Empty if the file is missing or not JSON: a preset is a guess, and loading the model reports the error."""
    try:
        value = json.loads(read_text(path, follow=True))
    except (FileNotFoundError, BrokenFile, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
