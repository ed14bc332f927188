"""What is wrong with a model's directory, and which of its modules LoRA finds: from config.json and weight headers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.preflight import Finding, blocking, warning
from tunixrt_core.render import stop_tokens
from tunixrt_core.tunix_backend.families import family_of
from tunixrt_core.tunix_backend.models import read_config, weight_header, weight_shapes
from tunixrt_core.tunix_backend.tokenizer import TextTokenizer

# Stands for a model module of Tunix, which takes ten seconds to import: the family's own checks run against it.
_NO_TUNIX: Any = SimpleNamespace(
    ModelConfig=dict,
    QueryPreAttentionNormalisation=SimpleNamespace(
        BY_ONE_OVER_SQRT_HEAD_DIM=0, BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS=1
    ),
)
_MODULE = re.compile(r"(?:.*\.)?layers\.(\d+)\.(self_attn|mlp)\.([qkvo]|gate|up|down)_proj\.weight")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model by its files: config.json (the text model's part), and the shape of each tensor by its name."""

    config: Mapping[str, Any]
    family: str
    tensors: Mapping[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        return sum(_size(shape) for shape in self.tensors.values())

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding table."""
        return next(shape[0] for name, shape in self.tensors.items() if name.endswith("embed_tokens.weight"))

    @property
    def context(self) -> int | None:
        """The longest row that the model was made for, in tokens."""
        found = self.config.get("max_position_embeddings")
        return int(found) if isinstance(found, int) else None

    def lora_parameters(self, pattern: str, rank: int) -> int:
        """How many numbers LoRA trains; 0 where the pattern matches nothing. Raises re.error."""
        wanted = re.compile(pattern)
        return rank * sum(inputs + outputs for path, inputs, outputs in self._modules() if wanted.fullmatch(path))

    def _modules(self) -> Iterator[tuple[str, int, int]]:
        """The linear maps by Tunix's path, with their inputs and outputs."""
        for name, shape in self.tensors.items():
            if (found := _MODULE.fullmatch(name)) is None:
                continue
            layer, place, kind = found[1], "attn" if found[2] == "self_attn" else "mlp", found[3]
            outputs, inputs = shape
            if not self.family.startswith("gemma") or place == "mlp":
                yield f"layers/{layer}/{place}/{kind}_proj", inputs, outputs
            elif kind != "v":  # Tunix keeps Gemma's keys and values in one
                stacked = {"q": ("q_einsum", 1), "k": ("kv_einsum", 2), "o": ("attn_vec_einsum", 1)}[kind]
                yield f"layers/{layer}/attn/{stacked[0]}", inputs, outputs * stacked[1]


def read_model(directory: Path) -> ModelFacts:
    """Raises ModelError where config.json or the weight files are broken, unknown, or do not belong together."""
    family, text = family_of(read_config(directory))
    family.config(_NO_TUNIX, text, weight_shapes(directory), None)
    tensors = {
        name: tuple(entry["shape"])
        for file in sorted(directory.glob("*.safetensors"))
        for name, entry in weight_header(file)
        if "vision_tower" not in name
    }
    facts = ModelFacts(text, family.name, tensors)
    _compare(facts)
    return facts


def _compare(facts: ModelFacts) -> None:
    config = facts.config
    heads = config.get("num_attention_heads", 8)
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    expected = {
        "embed_tokens": ("hidden_size", 1, config["hidden_size"]),
        "q_proj": ("num_attention_heads", 0, heads * head_dim),
        "k_proj": ("num_key_value_heads", 0, config.get("num_key_value_heads", heads) * head_dim),
        "gate_proj": ("intermediate_size", 0, config["intermediate_size"]),
    }
    for name, shape in facts.tensors.items():
        key, axis, size = expected.get(name.removesuffix(".weight").rsplit(".", 1)[-1], ("", 0, None))
        if name.endswith(".weight") and size is not None and shape[axis] != size:
            raise ModelError(
                f"config.json makes {name} {size:,} wide by its {key}, but the weight file has {shape[axis]:,}. "
                "They do not belong together; download the model again."
            )


def checked(manifest: RunManifest) -> tuple[str, ...]:
    """Codes of the checks that `model_faults` makes."""
    lora = ("lora_matches_nothing",) if manifest.method.adapts else ()
    return ("model_config", *lora, "longer_than_model", "pad_id", "stop_elsewhere")


def model_faults(
    manifest: RunManifest, directory: Path, tokenizer: TextTokenizer, facts: ModelFacts, longest: int
) -> Iterator[Finding]:
    """`model_config`, `lora_matches_nothing`, `longer_than_model`, `pad_id` and `stop_elsewhere`."""
    if tokenizer.vocab_size > facts.vocab_size:
        yield blocking(
            "model_config",
            f"The tokenizer has {tokenizer.vocab_size:,} tokens, the model only {facts.vocab_size:,}.",
            "Use the model's own tokenizer.",
            keys=("tokenizer.path",),
        )
    if facts.context is not None and longest > facts.context:
        yield warning(
            "longer_than_model",
            f"The longest row has {longest:,} tokens; the model was made for {facts.context:,}.",
            "Lower max_seq_length.",
            keys=("max_seq_length",),
        )
    if manifest.method.adapts:
        yield from _lora_faults(manifest, facts)
    yield from _pad_faults(tokenizer, facts)
    yield from _stop_faults(manifest, directory, tokenizer)


def _lora_faults(manifest: RunManifest, facts: ModelFacts) -> Iterator[Finding]:
    pattern = manifest.lora.modules
    try:
        count = facts.lora_parameters(pattern, manifest.lora.rank)
    except re.error as error:
        yield blocking(
            "lora_matches_nothing",
            f"lora.modules = {pattern!r} is not a regular expression ({error}).",
            "Use one such as .*q_proj|.*v_proj.",
            keys=("lora.modules",),
        )
        return
    if not count:
        example = ".*q_einsum|.*kv_einsum" if facts.family.startswith("gemma") else ".*q_proj|.*v_proj"
        yield blocking(
            "lora_matches_nothing",
            f"lora.modules = {pattern!r} matches no module of the model, so there would be nothing to train.",
            f"Use a pattern such as {example}.",
            keys=("lora.modules",),
        )


def _pad_faults(tokenizer: TextTokenizer, facts: ModelFacts) -> Iterator[Finding]:
    pad, named = tokenizer.pad_id(), facts.config.get("pad_token_id")
    if pad >= facts.vocab_size:
        yield blocking(
            "pad_id",
            f"The padding token is number {pad:,}, but the model has {facts.vocab_size:,} tokens.",
            "Use the model's own tokenizer.",
            keys=("tokenizer.path",),
        )
    elif (
        isinstance(named, int) and named != pad and tokenizer.token_id(tokenizer.named_token("pad_token") or "") == pad
    ):
        yield warning(
            "pad_id",
            f"The tokenizer pads with token {pad:,}, config.json says pad_token_id = {named:,}.",
            "Programs that read config.json will hide the wrong token; make both say the same.",
        )


def _stop_faults(manifest: RunManifest, directory: Path, tokenizer: TextTokenizer) -> Iterator[Finding]:
    path = directory / "generation_config.json"
    if not path.is_file():
        return
    found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    known = {found} if isinstance(found, int) else set(found or ())
    for name in stop_tokens(manifest.rendering.chat):
        if known and tokenizer.token_id(name) not in known:
            yield warning(
                "stop_elsewhere",
                f"Rows end with {name}, which eos_token_id in generation_config.json does not name.",
                "Other programs will not stop there; add its number when the model is exported.",
                keys=("rendering.chat",),
            )


def _size(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
