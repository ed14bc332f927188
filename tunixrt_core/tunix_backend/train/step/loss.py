"""Mean negative log likelihood of the completion tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.training_sections import LossKind, LossSection
from tunixrt_core.tunix_backend.data.batches import TokenBatch
from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED
from tunixrt_core.tunix_backend.model.precision import computing
from tunixrt_core.tunix_backend.train.step import fused


class ModelBatch(NamedTuple):
    """One batch for the device: TokenBatch's arrays, int32 [batch, length]; `norm` divides the summed loss."""

    tokens: Any
    segments: Any
    positions: Any
    parts: Any
    norm: Any


def model_batch(batch: TokenBatch, norm: float = 1.0) -> ModelBatch:
    return ModelBatch(batch.tokens, batch.segments, batch.positions, batch.parts, np.float32(norm))


class Losses(NamedTuple):
    """Summed negative log likelihood, in nats: of the trained tokens, and of each part, [parts]."""

    trained: jax.Array
    by_part: jax.Array


@dataclass(frozen=True, slots=True)
class LossFunction:
    """The loss of one run. `parts` is how many parts the data has (see encoding.Parts).

    `running_positions`: positions count through a whole row of the batch instead of from 0 in each row of the data.
    With rotary positions only distances matter, so the result is the same, and Gemma 2 needs it: its local layers
    compare a position with a place in the row. `flash`: the attention kernel takes segment ids and ignores the mask.
    `dtype` is what the model computes in, whatever its trained weights are held in.
    """

    section: LossSection
    parts: int
    train_head: bool
    running_positions: bool = False
    flash: bool = False
    dtype: Any = jnp.float32

    def inputs(self, batch: ModelBatch) -> dict[str, Any]:
        """The arguments of `mean`, for Tunix, which calls this inside the compiled train step."""
        return {"batch": batch}

    def mean(self, model: Any, batch: ModelBatch) -> tuple[jax.Array, jax.Array]:
        """The training loss, and the summed loss of each part.

        `norm` is the train step's mean number of trained tokens per micro-batch, so that with gradient accumulation
        too every token of the train step has the same weight.
        """
        losses = self.summed(model, batch)
        return losses.trained / batch.norm, losses.by_part

    def summed(self, model: Any, batch: ModelBatch) -> Losses:
        model = computing(model, self.dtype)
        # position l predicts the token at l + 1; the last position predicts none
        targets, parts = (jnp.pad(x[:, 1:], ((0, 0), (0, 1))) for x in (batch.tokens, batch.parts))
        weights = (parts >= FIRST_TRAINED).astype(jnp.float32)
        total, each = self._nll(model, batch, targets, weights)
        by_part = jax.ops.segment_sum(jax.lax.stop_gradient(each).ravel(), parts.ravel(), self.parts)
        return Losses(total, by_part)

    def _nll(self, model: Any, batch: ModelBatch, targets: Any, weights: Any) -> tuple[jax.Array, jax.Array]:
        call = (batch.tokens, self._positions(batch), attention_mask(batch.segments))
        more = {"segment_ids": batch.segments} if self.flash else {}
        if self.section.kind is LossKind.FUSED:
            hidden = fused.hidden_states(model, *call, **more)
            head = fused.head_of(model)
            return fused.nll(hidden, head, targets, weights, chunk=self.section.chunk, train_head=self.train_head)
        tokens, positions, mask = call
        logits, _ = model(tokens, positions, None, mask, **more)
        logits = logits.astype(jnp.float32)
        chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        each = jax.nn.logsumexp(logits, axis=-1) - chosen
        return jnp.sum(each * weights), each

    def _positions(self, batch: ModelBatch) -> Any:
        if not self.running_positions:
            return batch.positions
        rows, length = batch.tokens.shape
        return jnp.broadcast_to(jnp.arange(length), (rows, length))


def loss_of(manifest: RunManifest, config: Any, parts: int) -> LossFunction:
    """The loss of a manifest for a model of this Tunix config; `parts` is how many the data has."""
    return LossFunction(
        manifest.loss,
        parts=parts,
        train_head=not manifest.method.adapts,
        running_positions=runs_on_positions(config),
        flash=manifest.model.flash_attention,
        dtype=jnp.dtype(manifest.model.dtype.value),
    )


def runs_on_positions(config: Any) -> bool:
    """Whether a model of this Tunix config needs running positions: models of the Gemma 1 and 2 module do."""
    return type(config).__module__ == "tunix.models.gemma.model"


def attention_mask(segments: Any) -> Any:
    """The attention mask, bool [batch, length, length]: tokens of the same row of the data, up to one's own."""
    length = segments.shape[1]
    causal = jnp.tril(jnp.ones((length, length), jnp.bool_))
    return (segments[:, :, None] == segments[:, None, :]) & causal


def eval_function(loss: LossFunction) -> Any:
    """`(model, ModelBatch) -> Losses`, compiled."""

    @nnx.jit
    def evaluate(model: Any, batch: ModelBatch) -> Losses:
        return loss.summed(model, batch)

    return evaluate
