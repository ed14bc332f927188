"""Tunix's Sampler with the faults of 0.1.7 fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tunix.generate.sampler import CacheConfig, Sampler

from tunixrt_core.training.trainer import Sampling
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.models import LoadedModel
from tunixrt_core.tunix_backend.model.precision import cast

_PART = 4  # tokens between two looks at what was written: each look waits for the device


# gets the new tokens of every row so far; False ends the batch
Follow = Callable[[list[list[int]]], bool]


class Decoder(Sampler):
    """Completes batches of one size, prompt length and limit, so that everything is compiled once.

    All uses of private names of Tunix's Sampler are in this class.
    """

    _compiled_decode_fn: Any

    def __init__(self, loaded: LoadedModel, tokenizer: TextTokenizer, length: int, max_new_tokens: int) -> None:
        config = loaded.config
        self._dtype = loaded.dtype
        cache = CacheConfig(
            cache_size=length + max_new_tokens,
            num_layers=config.num_layers,
            num_kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
        )
        with _without_remat(loaded.model):
            super().__init__(loaded.model, tokenizer, cache)
        self._length = length
        self._max_new_tokens = max_new_tokens
        self._compiled_part_fn = jax.jit(self._part_fn, donate_argnums=(1,))

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        stops: Sequence[int],
        sampling: Sampling,
        seed: int,
        follow: Follow | None = None,
    ) -> list[list[int]]:
        """The new tokens of each prompt before its first stop token; as many as the limit where there is none.

        `follow` is called every few tokens. The tokens are the same with and without it.
        """
        # Tunix uses the temperature only where top_p is given, and is greedy otherwise
        drawn = {} if sampling.greedy else {"top_p": sampling.top_p, "top_k": sampling.top_k, "seed": seed}
        with self._followed(follow, stops):
            found = self(
                input_strings=prompts,
                max_generation_steps=self._max_new_tokens,
                max_prompt_length=self._length,
                eos_tokens=stops,
                temperature=sampling.temperature,
                **drawn,
            )
        return [[int(i) for i in tokens] for tokens in found.tokens]

    @contextmanager
    def _followed(self, follow: Follow | None, stops: Sequence[int]) -> Iterator[None]:
        """Within the block the tokens are decoded in parts, with a look after each."""
        whole = self._compiled_decode_fn
        if follow is not None:
            self._compiled_decode_fn = lambda params, state: self._decode_in_parts(params, state, follow, stops)
        try:
            yield
        finally:
            self._compiled_decode_fn = whole

    def _decode_in_parts(self, params: Any, state: Any, follow: Follow, stops: Sequence[int]) -> Any:
        last = self._length + self._max_new_tokens - 1
        while True:
            # the first look is at the token that the prompt itself gave
            step, done, buffer = jax.device_get((state.decoding_step, state.done, state.token_buffer))
            goes_on = follow([before_stop(row[self._length : step + 1].tolist(), stops) for row in buffer])
            if not goes_on or step >= last or done.all():
                return state
            state = self._compiled_part_fn(params, state)

    def refresh(self, model: Any) -> None:
        """Use the current weights of the model: a train step deletes the previous ones."""
        self.transformer_state = nnx.variables(model)

    def tokenize(self, input_string: Sequence[int]) -> Any:
        """Called by the Sampler for each prompt; returns the ids that the batches were planned with."""
        return np.array(input_string, dtype=np.int32)

    @property
    def dtype(self) -> Any:
        """Of the keys and values that are kept: what the model computes in."""
        return self._dtype

    def _prefill_fn(self, params: Any, *arguments: Any, **more: Any) -> Any:
        return super()._prefill_fn(cast(params, self._dtype), *arguments, **more)

    def _decode_fn(self, params: Any, sampling_state: Any) -> Any:
        """Tunix 0.1.7 takes one step too many: it computes a token for which its buffer has no place, and drops it
        (fixed on its main branch, f8a25bef). The step costs only time.
        """

        return self._decode_until(params, sampling_state, sampling_state.total_sampling_steps - 1)

    def _part_fn(self, params: Any, sampling_state: Any) -> Any:
        last = sampling_state.total_sampling_steps - 1
        return self._decode_until(params, sampling_state, jnp.minimum(last, sampling_state.decoding_step + _PART))

    def _decode_until(self, params: Any, sampling_state: Any, last: Any) -> Any:
        def goes_on(state: Any) -> Any:
            return (state.decoding_step < last) & jnp.any(jnp.logical_not(state.done))

        params = cast(params, self._dtype)  # once, not for each token
        return jax.lax.while_loop(goes_on, lambda state: self._sample_step(params, state), sampling_state)


def before_stop(tokens: Sequence[int], stops: Sequence[int]) -> list[int]:
    """The tokens before the first that ends a completion."""
    ends = (place for place, token in enumerate(tokens) if token in stops)
    return list(tokens[: next(ends, len(tokens))])


@contextmanager
def _without_remat(model: Any) -> Iterator[None]:
    """Within the block the model's definition recomputes nothing: generation has no backward pass, and Tunix's layers
    that recompute cannot be traced inside of the Sampler's loop.
    """
    before: list[tuple[Any, str, Any]] = []
    for _, module in nnx.iter_modules(model):
        if (config := getattr(module, "config", None)) is not None:
            before.append((module, "config", config))
            module.config = replace(config, remat_config=type(config.remat_config).NONE)
        if (remat := getattr(module, "remat_config", None)) is not None:  # Gemma's attention has it by itself
            before.append((module, "remat_config", remat))
            module.remat_config = type(remat).NONE
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
