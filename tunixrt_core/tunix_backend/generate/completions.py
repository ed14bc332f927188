"""Completions from a base model or a checkpoint."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Method
from tunixrt_core.traces.rendering.chats import ChatFormat, stop_tokens
from tunixrt_core.training.trainer import GREEDY, Generation, Sampling
from tunixrt_core.tunix_backend.data.rows import load_tokenizer
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer, named_stops
from tunixrt_core.tunix_backend.generate.decoding import Decoder, Follow
from tunixrt_core.tunix_backend.generate.prompt_batches import PromptBatch, plan_batches
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.files.checkpoints import restore_weights
from tunixrt_core.tunix_backend.model.models import LoadedModel, load_model, make_mesh
from tunixrt_core.util.hashing import content_hash

# key of a compiled program: number of prompts, their length, the limit, and how tokens are chosen (without the seed)
_Shape = tuple[int, int, int, tuple[float, float, int | None] | None]


class TunixGenerator:
    """trainer.Generator with Tunix. Made by `load` or from a loaded model; used by one thread at a time."""

    def __init__(
        self,
        loaded: LoadedModel,
        tokenizer: TextTokenizer,
        chat: ChatFormat,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> None:
        """`on_phase` gets `compiling` before the first batch of a new shape, `generating` before the others."""
        self._loaded: LoadedModel | None = loaded
        self._tokenizer = tokenizer
        self._stops = stop_ids(tokenizer, chat, loaded.directory)
        self._on_phase = on_phase
        self._decoders: dict[_Shape, Decoder] = {}

    @classmethod
    def load(
        cls,
        manifest: RunManifest,
        checkpoints: Path | None,
        *,
        models_dir: Path,
        on_phase: Callable[[str], None] = lambda phase: None,
    ) -> TunixGenerator:
        """The manifest's base model, or with `checkpoints` the weights of the last complete checkpoint in that folder.

        Raises ModelError for a model that cannot be loaded, CheckpointError where there is no matching checkpoint.
        """
        on_phase("loading")
        tokenizer = load_tokenizer(manifest, models_dir)
        mesh = make_mesh(manifest.mesh, manifest.batch.size)
        with mesh:
            # fresh LoRA does not change the base model's output, but costs time
            base = manifest.model_copy(update={"method": Method.FULL}) if checkpoints is None else manifest
            loaded = load_model(base, models_dir, mesh)
            if checkpoints is not None:
                restore_weights(loaded.model, checkpoints, lora=manifest.method.adapts)
        return cls(loaded, tokenizer, manifest.rendering.chat, on_phase)

    @property
    def compiles(self) -> int:
        """Number of shapes compiled so far."""
        return len(self._decoders)

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        skip: Collection[int] = (),
        on_batch: Callable[[Mapping[int, Generation]], None] | None = None,
        on_text: Callable[[Mapping[int, str]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> dict[int, Generation]:
        """As trainer.Generator. A batch with only some of its places in `skip` is answered completely.

        Raises ModelError for a limit below 1, and for lengths that Tunix computes wrongly.
        """
        loaded = self._require_model()
        ids, batches = self._plan(loaded, prompts, max_new_tokens)
        answered = frozenset(skip)
        done: dict[int, Generation] = {}
        with loaded.mesh:
            for k, batch in enumerate(batches):
                if answered.issuperset(batch.places):
                    continue
                if stop is not None and stop.is_set():
                    break
                decoder = self._decoder(loaded, batch, max_new_tokens, sampling)
                asked = [ids[place] for place in batch.filled]
                follow = None if on_text is None else self._following(batch, on_text, stop)
                tokens = decoder.complete(asked, self._stops, sampling, batch_seed(sampling.seed, k), follow)
                if follow is not None and stop is not None and stop.is_set():
                    break  # ended within an answer
                found = {
                    # without a stop token there are as many tokens as the limit allows
                    place: Generation(
                        self._tokenizer.decode(new), len(new), len(new) >= max_new_tokens, len(ids[place])
                    )
                    for place, new in zip(batch.places, tokens, strict=False)  # without the repeated prompts
                }
                done |= found
                if on_batch is not None:
                    on_batch(found)
        return done

    def _following(
        self, batch: PromptBatch, on_text: Callable[[Mapping[int, str]], None], stop: threading.Event | None
    ) -> Follow:
        def follow(rows: list[list[int]]) -> bool:
            on_text({place: self._tokenizer.decode(new) for place, new in zip(batch.places, rows, strict=False)})
            return stop is None or not stop.is_set()

        return follow

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[tuple[int, ...]]:
        """As trainer.Generator."""
        return [batch.places for batch in self._plan(self._require_model(), prompts, max_new_tokens)[1]]

    def check_lengths(self, prompts: Sequence[str], max_new_tokens: int) -> None:
        """Raises ModelError where `generate` would, before anything is computed."""
        self._plan(self._require_model(), prompts, max_new_tokens)

    def refresh(self) -> None:
        """Use the current weights of the model. Needed after each train step that changed them."""
        model = self._require_model().model
        for decoder in self._decoders.values():
            decoder.refresh(model)

    def close(self) -> None:
        """Release the model and the compiled programs, so that the device's memory is free for the next user."""
        self._loaded = None
        self._decoders.clear()
        gc.collect()  # a Sampler and its compiled functions reference each other

    def _plan(
        self, loaded: LoadedModel, prompts: Sequence[str], max_new_tokens: int
    ) -> tuple[list[list[int]], list[PromptBatch]]:
        """The ids of each prompt, and the batches of prompt places."""
        if max_new_tokens < 1:
            raise ModelError(f"max_new_tokens is {max_new_tokens}. Set it to at least 1.")
        ids = self._tokenizer.encode_prompts(prompts)
        batches = plan_batches([len(each) for each in ids])
        if batches:
            check_window(loaded.architecture, batches[0].length + max_new_tokens)
        return ids, batches

    def _require_model(self) -> LoadedModel:
        if self._loaded is None:
            raise ModelError("This generator is closed. Load the model again.")
        return self._loaded

    def _decoder(self, loaded: LoadedModel, batch: PromptBatch, max_new_tokens: int, sampling: Sampling) -> Decoder:
        drawn = None if sampling.greedy else (sampling.temperature, sampling.top_p, sampling.top_k)
        shape = (batch.size, batch.length, max_new_tokens, drawn)
        self._on_phase("generating" if shape in self._decoders else "compiling")
        if shape not in self._decoders:
            self._decoders[shape] = Decoder(loaded, self._tokenizer, batch.length, max_new_tokens)
        return self._decoders[shape]


def batch_seed(seed: int, k: int) -> int:
    """The seed of the k-th batch: different for each batch, and independent of the batches before it."""
    return int(content_hash([seed, k])[:8], 16) >> 1  # 31 bits


def check_window(architecture: Architecture, length: int) -> None:
    """Raises ModelError where a Gemma 2 model would attend to the wrong tokens: Tunix counts padding into the window.

    `length` is that of prompt, padding and completion; within the window every layer sees all tokens, as it should.
    """
    if architecture.kind == "gemma2" and architecture.window is not None and length > architecture.window:
        raise ModelError(
            f"Prompt and completion take {length:,} tokens, which Tunix 0.1.7 computes wrongly in Gemma 2 beyond its "
            f"window of {architecture.window:,}. Lower max_new_tokens, or leave the long prompts out."
        )


def stop_ids(tokenizer: TextTokenizer, chat: ChatFormat, directory: Path) -> list[int]:
    """Ids that end a completion: the chat format's end of turn, the model's end of sequence, and what the model's own
    generation_config.json in `directory` names besides, such as `<|eom_id|>`.

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
        ids.append(found)
    return list(dict.fromkeys([*ids, *named_stops(directory)]))
