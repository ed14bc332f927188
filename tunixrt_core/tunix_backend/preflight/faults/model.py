"""Faults of a model directory, and the modules LoRA matches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Method
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.training.preflight.report import Finding, blocking, warning
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer, named_stops
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.reading import read_config
from tunixrt_core.tunix_backend.model.files.expected import expected_tensors
from tunixrt_core.tunix_backend.model.files.fit import check_weights
from tunixrt_core.tunix_backend.model.lora.targets import check_tile_size, lora_parameters, lora_targets
from tunixrt_core.tunix_backend.preflight.faults.config import config_faults


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model by its files: the architecture of config.json and the weight files, and config.json's text part."""

    architecture: Architecture
    config: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape in expected_tensors(self.architecture).values())

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding table."""
        assert self.architecture.vocab_size is not None, "the weight files give it"
        return self.architecture.vocab_size

    @property
    def context(self) -> int | None:
        """The longest row that the model supports, in tokens."""
        found = self.config.get("max_position_embeddings")
        return int(found) if isinstance(found, int) else None

    def lora_parameters(self, pattern: str, rank: int) -> int:
        """The number of parameters that LoRA trains. Raises ModelError for a pattern that cannot be used."""
        return lora_parameters(lora_targets(self.architecture, pattern), rank)


def read_model(directory: Path) -> ModelFacts:
    """Raises ModelError where config.json or the weight files are broken, not supported, or do not match."""
    config = read_config(directory)
    return ModelFacts(check_weights(directory), config.get("text_config", config))


def checked(manifest: RunManifest) -> tuple[str, ...]:
    """Codes of the checks that `model_faults` makes."""
    lora = ("lora_matches_nothing",) if manifest.method.adapts else ()
    tiles = ("tile_size",) if manifest.method is Method.QLORA else ()
    return ("model_config", *lora, *tiles, "longer_than_model", "pad_id", "stop_elsewhere")


def model_faults(
    manifest: RunManifest, directory: Path, tokenizer: TextTokenizer, facts: ModelFacts, longest: int
) -> Iterator[Finding]:
    """`model_config`, `lora_matches_nothing`, `longer_than_model`, `pad_id` and `stop_elsewhere`."""
    yield from config_faults(facts.config)
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
    try:
        targets = lora_targets(facts.architecture, manifest.lora.modules)
    except ModelError as error:
        yield blocking("lora_matches_nothing", str(error), keys=("lora.modules",))
        return
    if manifest.method is Method.QLORA:
        try:
            check_tile_size(targets, manifest.lora.tile_size)
        except ModelError as error:
            yield blocking("tile_size", str(error), keys=("lora.tile_size",))


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
            "Programs that read config.json will mask the wrong token. Set both to the same token.",
        )


def _stop_faults(manifest: RunManifest, directory: Path, tokenizer: TextTokenizer) -> Iterator[Finding]:
    try:
        known = named_stops(directory)
    except ModelError as error:
        yield blocking("model_config", str(error), keys=("model.id",))
        return
    for name in stop_tokens(manifest.rendering.chat):
        if known and tokenizer.token_id(name) not in known:
            yield warning(
                "stop_elsewhere",
                f"Rows end with {name}, which eos_token_id in generation_config.json does not name.",
                "Other programs will not stop there. Add its id when the model is exported.",
                keys=("rendering.chat",),
            )
