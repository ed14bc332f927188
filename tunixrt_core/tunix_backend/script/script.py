"""A manifest as a stand-alone Python file and notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Attention, Dtype, Method, Quantization, Remat
from tunixrt_core.manifest.training_sections import LossKind
from tunixrt_core.traces.rendering.chats import ChatFormat, end_of_turn, stop_tokens
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.tunix_backend.data.packing import WINDOW
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.reading import KINDS
from tunixrt_core.tunix_backend.model.families import FAMILIES
from tunixrt_core.tunix_backend.model.files.fit import check_weights
from tunixrt_core.tunix_backend.model.lora.targets import check_tile_size, lora_targets
from tunixrt_core.tunix_backend.script.talk import holds_conversations, talk_flags, talk_settings
from tunixrt_core.tunix_backend.script.text import Code, assignment, fill_template, literal

# what the models' own templates strip from the ends of a completion; their own form of thought is handled separately
_STRIPS = {
    ChatFormat.QWEN3: "lines",
    ChatFormat.GEMMA3: "all",
    ChatFormat.GEMMA4: "all",
    ChatFormat.LLAMA31: "all",
}
_CELL = re.compile(r"^(?=# %%)", re.MULTILINE)


def standalone_script(manifest: RunManifest, directory: Path) -> str:
    """The script that trains `manifest` on the model in `directory`, whose files it is made from.

    Its checkpoints go to script-checkpoints in the manifest's output_dir. Raises ModelError for a model that is
    missing or that Tunix would train wrongly, of a family whose code is corrected here, and for LoRA that matches none
    of its modules; InvalidManifest for a conversation that the chat format has no form for.
    """
    talks = holds_conversations(manifest)
    architecture = check_weights(directory)
    if FAMILIES[architecture.kind].corrected is not None:
        raise ModelError(
            f"A script cannot train {KINDS[architecture.kind].family}: its code in Tunix 0.1.7 is wrong, and corrected "
            "here alone. Use `tunixrt train`."
        )
    if manifest.method.adapts:
        targets = lora_targets(architecture, manifest.lora.modules)
        if manifest.method is Method.QLORA:
            check_tile_size(targets, manifest.lora.tile_size)
    corrected = _Corrected(architecture)
    tokenizer = Path(manifest.tokenizer.path).expanduser().absolute() if manifest.tokenizer.path else directory
    flags = _flags(manifest, corrected, tokenizer) | talk_flags(manifest, talks)
    values = _values(manifest, corrected, flags)
    settings = _settings(manifest, corrected, flags, tokenizer, directory)
    values["settings"] = "\n".join(assignment(name, value) for name, value in settings)
    template = files("tunixrt_core.tunix_backend.script").joinpath("train.py.txt").read_text(encoding="utf-8")
    return fill_template(template, flags, values)


def notebook(script: str) -> str:
    """The same content as .ipynb JSON (nbformat 4.5), one cell per `# %%`."""
    cells: list[dict[str, Any]] = []
    for number, text in enumerate(_CELL.split(script)):
        lines = text.splitlines(keepends=True)
        cells.append(
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": lines,
            }
        )
    about = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


class _Corrected:
    """The trainer's changes to a loaded model of this architecture, recorded by applying them to a stand-in.

    So the script gets the config and the fixes from the trainer's own functions, without importing Tunix.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.family = FAMILIES[architecture.kind]
        kinds = SimpleNamespace(LOCAL_SLIDING="l", GLOBAL="g")
        norm = Code("model_lib.QueryPreAttentionNormalisation.")
        norms = {
            name: Code(norm + name)
            for name in ("BY_ONE_OVER_SQRT_HEAD_DIM", "BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS")
        }
        module: Any = SimpleNamespace(
            ModelConfig=dict,
            AttentionType=kinds,
            QueryPreAttentionNormalisation=SimpleNamespace(**norms),
            apply_rope=lambda *arguments: arguments,
        )
        self.config: dict[str, Any] = self.family.config(module, architecture, Code("DTYPE"))
        model = _StandIn(architecture.layers)
        self.family.correct(model, module, architecture)
        self.turns_otherwise = hasattr(model, "rope_frequencies")
        self.layers = "".join(self.config.get("attention_types", ()))
        self.bases: dict[str, float] = {}
        self.scales: dict[str, float] = {}
        if self.is_gemma3:
            self.layers = "".join(layer.attn.attn_type for layer in model.layers)
            self.bases = {layer.attn.attn_type: layer.attn.rope_base_frequency for layer in model.layers}
            self.scales = {layer.attn.attn_type: layer.attn.rope_scale_factor for layer in model.layers}
        elif self.layers:
            self.config["attention_types"] = Code("tuple(KINDS[kind] for kind in LAYERS)")

    @property
    def is_gemma3(self) -> bool:
        return self.family.name == "gemma3"


class _StandIn:
    def __init__(self, layers: int) -> None:
        self.layers = [SimpleNamespace(attn=SimpleNamespace()) for _ in range(layers)]

    def __call__(self) -> None:
        """The calls that a model accepts."""


def _flags(manifest: RunManifest, corrected: _Corrected, tokenizer: Path) -> dict[str, str]:
    """The flags of the template: empty means no."""
    batch, adapts = manifest.batch, manifest.method.adapts
    scaling = corrected.architecture.rope.scaling or {}
    own_lengths = not batch.packing and batch.length_buckets > 1
    bos = _token(tokenizer, "bos_token")
    begins = _json(tokenizer / "tokenizer_config.json").get("add_bos_token", "ask") if bos else False
    thinks = manifest.rendering.reasoning is ReasoningStyle.THINK
    casts = manifest.trained_dtype is not manifest.model.dtype
    own_sums = manifest.model.attention is Attention.REFERENCE and manifest.loss.kind is LossKind.PLAIN
    native = thinks and manifest.rendering.chat in (ChatFormat.QWEN3, ChatFormat.GEMMA4)
    found = {
        "rounds_otherwise": manifest.model.dtype is not Dtype.FLOAT32 and not own_sums,
        "native_thought": native,
        "plain_thought": thinks and not native,
        "strips": "" if native else _STRIPS.get(manifest.rendering.chat, ""),
        "chat": manifest.rendering.chat.value,
        "style": manifest.rendering.reasoning.value,
        "laid_out": manifest.rendering.reasoning not in (ReasoningStyle.NUMBERED, ReasoningStyle.ANSWER),
        "bos": {"ask": "ask", True: "always"}.get(begins, ""),
        "eos": not stop_tokens(manifest.rendering.chat),
        "drop_steps": manifest.too_long.value == "drop_steps",
        "packing": batch.packing,
        "buckets": own_lengths,
        "plain_rows": not batch.packing and not own_lengths,
        "epochs": manifest.duration.train_steps is None,
        "rope": scaling.get("rope_type", "default") if corrected.turns_otherwise else "",
        "rope_in": corrected.family.name,
        "layers": corrected.layers,
        "gemma3": corrected.is_gemma3,
        "adapts": adapts,
        "casts": casts,
        "held_otherwise": casts and not adapts,
        "lora": manifest.method is Method.LORA,
        "qlora": manifest.method is Method.QLORA,
        "running_positions": corrected.family.name == "gemma",
        "schedule": manifest.schedule.kind.value,
        "clip": manifest.optimizer.max_grad_norm is not None,
        "early_stopping": manifest.cadence.early_stopping is not None,
    }
    return {name: value if isinstance(value, str) else "yes" if value else "" for name, value in found.items()}


def _values(manifest: RunManifest, corrected: _Corrected, flags: Mapping[str, str]) -> dict[str, str]:
    """The value of each `{{name}}`, except the settings."""
    config = dict(corrected.config)
    if manifest.model.remat is not Remat.NONE:
        config["remat_config"] = Code(f"model_lib.RematConfig.{manifest.model.remat.name}")
    adapts, accumulates = manifest.method.adapts, manifest.batch.gradient_accumulation > 1
    return {
        "title": f"Run {json.dumps(manifest.name, ensure_ascii=True)[1:-1]}, written from its manifest.",
        "dtype": manifest.model.dtype.value,
        "bisect_import": "import bisect\n" if flags["drop_steps"] or flags["buckets"] else "",
        "math_import": "import math\n" if flags["epochs"] else "",
        "qwix_import": "import qwix\n" if adapts else "",
        "reshard_import": "from tunix.rl.reshard import reshard_model_to_mesh\n" if adapts else "",
        "family": corrected.family.name,
        "params_module": corrected.family.params_module,
        "end_tokens": "1" if flags["eos"] else "0",
        "window": str(WINDOW),
        "length_of_batches": "MAX_LENGTH" if manifest.batch.packing else "round_up(max(lengths))",
        "config": "\n".join(f"    {name}={literal(value)}," for name, value in config.items()),
        "talk": ", talk" if flags["talks"] else "",
        "fsdp": "max(fits)" if manifest.mesh.fsdp is None else str(manifest.mesh.fsdp),
        "qtype": '"nf4"' if manifest.lora.quantization is Quantization.NF4 else "jnp.int8",
        "accumulation_argument": "ACCUMULATION" if accumulates else "None",
    }


def _settings(
    manifest: RunManifest, corrected: _Corrected, flags: Mapping[str, str], tokenizer: Path, directory: Path
) -> Iterator[tuple[str, Any]]:
    """The constants at the head of the script, with their values."""
    batch, optimizer, cadence = manifest.batch, manifest.optimizer, manifest.cadence
    yield "DATA", str(Path(manifest.data.path).absolute())
    yield "MODEL_DIR", str(directory)
    yield "TOKENIZER_DIR", Code("MODEL_DIR") if tokenizer == directory else str(tokenizer)
    yield "CHECKPOINTS", str(Path(manifest.output_dir).expanduser().absolute() / "script-checkpoints")
    yield "DTYPE", Code(f"jnp.{manifest.model.dtype.value}")
    yield "SYSTEM", manifest.rendering.system
    yield "END_OF_TURN", end_of_turn(manifest.rendering.chat)
    if flags["talks"]:
        yield from talk_settings(manifest)
    if flags["bos"]:
        yield "BOS_TOKEN", _token(tokenizer, "bos_token")
    if flags["eos"]:
        yield "EOS_TOKEN", _token(tokenizer, "eos_token")
    yield "MAX_LENGTH", manifest.max_seq_length
    yield "SEED", manifest.seed
    yield "BATCH", batch.size
    yield "ACCUMULATION", batch.gradient_accumulation
    if flags["buckets"]:
        yield "BUCKETS", batch.length_buckets
    yield from (
        (("EPOCHS", manifest.duration.epochs),) if flags["epochs"] else (("TOTAL", manifest.duration.train_steps),)
    )
    yield "TP", manifest.mesh.tp
    if manifest.method.adapts:
        yield from (("LORA_MODULES", manifest.lora.modules), ("LORA_RANK", manifest.lora.rank))
        yield "LORA_ALPHA", manifest.lora.alpha
    if flags["qlora"]:
        yield "TILE_SIZE", manifest.lora.tile_size
    yield from (("LEARNING_RATE", optimizer.learning_rate), ("WEIGHT_DECAY", optimizer.weight_decay))
    yield from (("B1", optimizer.b1), ("B2", optimizer.b2))
    if flags["clip"]:
        yield "MAX_GRAD_NORM", optimizer.max_grad_norm
    yield "WARMUP_SHARE", manifest.schedule.warmup_share
    yield "FINAL_SHARE", manifest.schedule.final_share
    yield from (("EVAL_EVERY", cadence.eval_every), ("CHECKPOINT_EVERY", cadence.checkpoint_every))
    yield "KEEP_CHECKPOINTS", cadence.keep_checkpoints
    if flags["early_stopping"]:
        yield "EARLY_STOPPING", cadence.early_stopping
    yield from _model_settings(corrected, flags)


def _model_settings(corrected: _Corrected, flags: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    rope = corrected.architecture.rope
    if flags["rope"]:
        yield from (("HEAD_DIM", corrected.architecture.head_dim), ("ROPE_THETA", rope.theta))
        names = {"ROPE_FACTOR": "factor"}
        if flags["rope"] == "llama3":
            names |= {"ROPE_LOW": "low_freq_factor", "ROPE_HIGH": "high_freq_factor"}
            names["ROPE_LENGTH"] = "original_max_position_embeddings"
        yield from ((name, rope.scaling[key]) for name, key in names.items() if rope.scaling)
    if flags["layers"]:
        yield "LAYERS", corrected.layers
    if flags["gemma3"]:
        yield from (("ROPE_BASES", corrected.bases), ("ROPE_SCALES", corrected.scales))


def _token(directory: Path, name: str) -> str | None:
    """The text of a special token, such as `bos_token`, from the tokenizer's files."""
    value = _json(directory / "tokenizer_config.json").get(name) or _json(directory / "special_tokens_map.json").get(
        name
    )
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
