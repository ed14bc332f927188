"""What the model is given and what it is scored on: the mean negative log likelihood of the completion tokens."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tunixrt_core.tunix_backend.batches import TokenBatch


class ModelBatch(NamedTuple):
    """One batch for the device: `tokens` and `loss_mask` are [batch, length], `norm` divides the summed loss."""

    tokens: Any
    loss_mask: Any
    norm: Any


def model_batch(batch: TokenBatch, norm: float = 1.0) -> ModelBatch:
    return ModelBatch(batch.tokens, batch.loss_mask, np.float32(norm))


def model_inputs(batch: ModelBatch) -> dict[str, Any]:
    """Arguments of `mean_loss`. Rows are padded on the right, where a causal mask hides the padding by itself."""
    rows, length = batch.tokens.shape
    causal = jnp.tril(jnp.ones((length, length), jnp.bool_))
    return {
        "tokens": batch.tokens,
        "loss_mask": batch.loss_mask,
        "norm": batch.norm,
        "positions": jnp.broadcast_to(jnp.arange(length), (rows, length)),
        "attention_mask": jnp.broadcast_to(causal, (rows, length, length)),
    }


def summed_loss(model: Any, tokens: Any, loss_mask: Any, positions: Any, attention_mask: Any) -> jax.Array:
    """Summed negative log likelihood of the masked tokens, in nats, computed in float32."""
    logits, _ = model(tokens, positions, None, attention_mask)
    logits = logits[:, :-1].astype(jnp.float32)
    chosen = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]
    # logsumexp minus the target's logit: half the memory of the one-hot form that Tunix has by default
    nll = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.sum(nll * loss_mask[:, 1:])


def mean_loss(model: Any, tokens: Any, loss_mask: Any, norm: Any, positions: Any, attention_mask: Any) -> jax.Array:
    """The loss that is trained on. `norm` is the train step's mean number of trained tokens per micro-batch, so that
    with gradient accumulation too every token of the train step weighs the same."""
    return summed_loss(model, tokens, loss_mask, positions, attention_mask) / norm


@nnx.jit
def eval_loss_sum(model: Any, batch: ModelBatch) -> jax.Array:
    """Summed loss of one eval batch."""
    inputs = model_inputs(batch)
    del inputs["norm"]
    return summed_loss(model, **inputs)
