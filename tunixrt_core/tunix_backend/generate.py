"""Greedy completions with Tunix's Sampler, from a base model or from a run's last checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tunix.generate.sampler import CacheConfig, Sampler

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.manifest_sections import Method
from tunixrt_core.render import ChatFormat, stop_tokens
from tunixrt_core.trainer import Generation
from tunixrt_core.tunix_backend.architecture import Architecture
from tunixrt_core.tunix_backend.checkpoints import restore_weights
from tunixrt_core.tunix_backend.data import load_tokenizer
from tunixrt_core.tunix_backend.models import LoadedModel, load_model, make_mesh
from tunixrt_core.tunix_backend.tokenizer import TextTokenizer

_BATCH = 32  # prompts at once; the last batch is filled up, as every new shape is compiled anew
_SHORTEST_BUCKET = 32  # tokens


class TunixGenerator:
    """trainer.Generator with Tunix. Made by `load`; used in one thread at a time."""

    def __init__(
        self, loaded: LoadedModel, tokenizer: TextTokenizer, chat: ChatFormat, on_phase: Callable[[str], None]
    ) -> None:
        self._loaded = loaded
        self._tokenizer = tokenizer
        self._stops = stop_ids(tokenizer, chat)
        self._on_phase = on_phase
        self._samplers: dict[tuple[int, int, int], Sampler] = {}

    @classmethod
    def load(
        cls,
        manifest: RunManifest,
        checkpoints: Path | None,
        *,
        models_dir: Path,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> TunixGenerator:
        """The manifest's base model, or with `checkpoints` the weights of the last whole checkpoint in there.

        Raises ModelError for a model that cannot be loaded, TrainingError where there is no fitting checkpoint.
        """
        on_phase("loading")
        tokenizer = load_tokenizer(manifest, models_dir)
        mesh = make_mesh(manifest.mesh, manifest.batch.size)
        with mesh:
            # fresh LoRA changes nothing that the base model says, but costs time
            base = manifest.model_copy(update={"method": Method.FULL}) if checkpoints is None else manifest
            loaded = load_model(base, models_dir, mesh)
            if checkpoints is not None:
                restore_weights(loaded.model, checkpoints, lora=manifest.method.adapts)
        return cls(loaded, tokenizer, manifest.rendering.chat, on_phase)

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        on_batch: Callable[[int, Sequence[Generation]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> list[Generation]:
        """Greedy completions in the order of the prompts; shorter than asked where `stop` ended it.

        `on_batch(first_index, generations)` is called as each batch ends.
        """
        if max_new_tokens < 1:
            raise ModelError(f"max_new_tokens is {max_new_tokens}; at least 1 token must be asked for.")
        done: list[Generation] = []
        size = min(_BATCH, _power_of_two(len(prompts)))
        with self._loaded.mesh:
            for first in range(0, len(prompts), size):
                if stop is not None and stop.is_set():
                    break
                batch = self._complete(prompts[first : first + size], size, max_new_tokens)
                done += batch
                if on_batch is not None:
                    on_batch(first, batch)
        return done

    def _complete(self, prompts: Sequence[str], size: int, max_new_tokens: int) -> list[Generation]:
        longest = max(len(self._tokenizer.encode_prompt(prompt)) for prompt in prompts)
        bucket = max(_SHORTEST_BUCKET, _power_of_two(longest))
        filled = [*prompts, *[prompts[-1]] * (size - len(prompts))]
        output = self._sampler(size, bucket, max_new_tokens)(
            input_strings=filled,
            max_generation_steps=max_new_tokens,
            max_prompt_length=bucket,
            eos_tokens=self._stops,
        )
        texts, tokens = output.text[: len(prompts)], output.tokens[: len(prompts)]
        return [
            # without a stop token the Sampler hands back everything up to the limit
            Generation(text, len(ids), len(ids) >= max_new_tokens)
            for text, ids in zip(texts, tokens, strict=True)
        ]

    def _sampler(self, size: int, bucket: int, max_new_tokens: int) -> Sampler:
        key = (size, bucket, max_new_tokens)
        check_window(self._loaded.architecture, bucket + max_new_tokens)
        self._on_phase("generating" if key in self._samplers else "compiling")
        if key not in self._samplers:
            config = self._loaded.config
            cache = CacheConfig(
                cache_size=bucket + max_new_tokens,
                num_layers=config.num_layers,
                num_kv_heads=config.num_kv_heads,
                head_dim=config.head_dim,
            )
            self._samplers[key] = Sampler(self._loaded.model, self._tokenizer, cache)
        return self._samplers[key]


def check_window(architecture: Architecture, length: int) -> None:
    """Raises ModelError where Tunix would let a Gemma 2 model see the wrong tokens: it counts padding into the window.

    `length` is that of prompt, padding and completion; within the window every layer sees everything, as it should.
    """
    if architecture.kind == "gemma2" and architecture.window is not None and length > architecture.window:
        raise ModelError(
            f"Prompt and completion take {length:,} tokens, which Tunix 0.1.7 computes wrongly in Gemma 2 beyond its "
            f"window of {architecture.window:,}. Ask for fewer new tokens, or leave the long prompts out."
        )


def stop_ids(tokenizer: TextTokenizer, chat: ChatFormat) -> list[int]:
    """Ids that end a completion: the chat format's end of turn and the model's end of sequence.

    Raises ModelError where the tokenizer does not have the chat format's control token.
    """
    ids = [tokenizer.eos_id()]
    for token in stop_tokens(chat):
        found = tokenizer.token_id(token)
        if found is None:
            raise ModelError(
                f"The tokenizer has no token {token}, which the chat format {chat.value} ends a turn with. "
                "Choose the chat format of this model in rendering.chat."
            )
        if found not in ids:
            ids.append(found)
    return ids


def _power_of_two(n: int) -> int:
    """The smallest power of two that is not below n."""
    return 1 << max(0, n - 1).bit_length()
