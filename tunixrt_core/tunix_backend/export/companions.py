"""Files beside the weights: config, tokenizer, template, license."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.templates import jinja_template
from tunixrt_core.tunix_backend.data.own_template import model_template
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.generate.completions import stop_ids

_COPIED_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".tiktoken"}
_TERMS = ("LICENSE", "NOTICE", "USE_POLICY")
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.jinja")
_GENERATION = "generation_config.json"
_ENDS = "eos_token_id"


def copy_model_files(base: Path, folder: Path) -> None:
    """Everything of the base's directory that is neither weights nor their index nor the tokenizer nor the card."""
    for path in sorted(base.iterdir()):
        wanted = path.suffix in _COPIED_SUFFIXES and not path.name.endswith(".index.json")
        if path.is_file() and wanted and not _is_tokenizer_file(path):
            shutil.copyfile(path, folder / path.name)


def copy_tokenizer(base: Path, own: Path | None, chat: ChatFormat, folder: Path) -> None:
    """The tokenizer's files, of the run's own tokenizer where it had one, and the terms of the base model.

    Where they contain no chat template, that of the run's chat format is written, if there is one.
    """
    for path in sorted((own or base).iterdir()):
        if path.is_file() and _is_tokenizer_file(path):
            shutil.copyfile(path, folder / path.name)
    for path in sorted(base.iterdir()):
        if path.is_file() and path.name.startswith(_TERMS):
            shutil.copyfile(path, folder / path.name)
    if model_template(folder) is None and (template := jinja_template(chat)) is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def write_generation_config(base: Path, own: Path | None, chat: ChatFormat, folder: Path) -> None:
    """The base's generation config, whose end tokens include those that ended a turn in training."""
    found = _read(base / _GENERATION) or _of_config(_read(base / "config.json"))
    tokenizer = TextTokenizer(own or base)
    if own is not None:  # the base tokenizer's ids are other tokens in this one
        found |= {"bos_token_id": tokenizer.begin_id, _ENDS: [], "pad_token_id": tokenizer.pad_id()}
    ends = found.get(_ENDS)
    known = ends if isinstance(ends, list) else [] if ends is None else [ends]
    # the folder has no generation config yet, so only the ends of the run are read here; those of the base are known
    found[_ENDS] = [*known, *(i for i in stop_ids(tokenizer, chat, folder) if i not in known)]
    (folder / _GENERATION).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _of_config(config: dict[str, Any]) -> dict[str, Any]:
    names = ("bos_token_id", _ENDS, "pad_token_id")
    return {name: config[name] for name in names if config.get(name) is not None}


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _is_tokenizer_file(path: Path) -> bool:
    return any(path.match(pattern) for pattern in _TOKENIZER_FILES)
