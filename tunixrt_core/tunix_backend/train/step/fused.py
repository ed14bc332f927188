"""Cross entropy from hidden states, without all logits at once.

The logits of a batch are batch x length x vocabulary numbers, and the usual loss holds several such arrays. Here the
output head is applied to a few tokens of each row at a time, and their gradient is taken in the same pass, so that
the backward pass computes nothing again. The idea is that of Cut Cross-Entropy (Wijmans et al. 2024) and Liger's
fused linear cross entropy (Hsu et al. 2024).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tunixrt_core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Head:
    """A model's output head. `vocab_first` says that its weight is [vocabulary, dim], as a tied embedding is."""

    weight: Any
    vocab_first: bool
    softcap: float | None


def hidden_states(model: Any, tokens: Any, positions: Any, attention_mask: Any, **more: Any) -> Any:
    """The input of the output head, [batch, length, dim].

    The model's own forward pass is called, with its head removed for that one call: LoRA acts only inside it, and a
    loop over the layers from outside would silently train the base model.
    """
    caught: list[Any] = []
    with _head_aside(model, caught):
        model(tokens, positions, None, attention_mask, **more)
    return caught[-1]


@contextlib.contextmanager
def _head_aside(model: Any, caught: list[Any]) -> Iterator[None]:
    # the instance's dictionary is changed and restored before nnx reads the module again
    def catch(hidden: Any) -> Any:
        caught.append(hidden)
        return hidden[..., :1]

    separate = vars(model).get("lm_head")
    place, name = (vars(model), "lm_head") if separate is not None else (vars(model.embedder), "decode")
    place[name] = catch
    try:
        yield
    finally:
        if separate is not None:
            place[name] = separate
        else:
            del place[name]


def head_of(model: Any) -> Head:
    """The head of a Tunix model, tied to its embedding or not. Raises ModelError for one that LoRA or QLoRA changed."""
    separate = vars(model).get("lm_head")
    holder, name = (separate, "w") if separate is not None else (model.embedder, "input_embedding")
    weight = getattr(holder, name)
    if any(hasattr(holder, f"{name}_lora_{letter}") for letter in "ab") or not isinstance(weight, nnx.Variable):
        raise ModelError(
            "lora.modules reaches the output head, which the fused loss would train without LoRA. "
            "Leave the head out of lora.modules, or set loss.kind to plain."
        )
    # Gemma 2 has one under this name, Gemma 4 in its config
    softcap = getattr(model, "final_logits_softcap", getattr(model.config, "final_logit_softcap", None))
    return Head(weight[...], separate is None, None if softcap is None else float(softcap))


def nll(
    hidden: Any, head: Head, targets: Any, weights: Any, *, chunk: int, train_head: bool
) -> tuple[jax.Array, jax.Array]:
    """`(sum(weights * nll), nll)` with nll [batch, length] in nats, computed in float32.

    hidden [batch, length, dim], targets int [batch, length], weights float [batch, length]. Only the sum has a
    gradient: to `hidden`, and to the head where `train_head`. `chunk` tokens of each row are processed at once.
    """
    length = hidden.shape[1]
    size = min(chunk, length)
    missing = -length % size
    padded = [jnp.pad(x, ((0, 0), (0, missing)) + ((0, 0),) * (x.ndim - 2)) for x in (hidden, targets, weights)]
    total, each = _fused(*padded, head.weight, size, head.vocab_first, head.softcap, train_head)
    return total, each[:, :length]


def _chunks(x: Any, size: int) -> Any:
    """[batch, length, ...] -> [chunks, batch, size, ...]; the batch axis, which is sharded, is kept."""
    return jnp.moveaxis(x.reshape(x.shape[0], -1, size, *x.shape[2:]), 1, 0)


def _whole(x: Any) -> Any:
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])


def _logits(hidden: Any, weight: Any, vocab_first: bool, softcap: float | None) -> Any:
    equation = "bcd,vd->bcv" if vocab_first else "bcd,dv->bcv"
    logits = jnp.einsum(equation, hidden, weight.astype(hidden.dtype), preferred_element_type=jnp.float32)
    return logits if softcap is None else jnp.tanh(logits / softcap) * softcap


def _nll_of(logits: Any, targets: Any) -> tuple[Any, Any]:
    log_sum = jax.nn.logsumexp(logits, axis=-1)
    return log_sum - jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0], log_sum


@partial(jax.custom_vjp, nondiff_argnums=(4, 5, 6, 7))
def _fused(
    hidden: Any, targets: Any, weights: Any, weight: Any, size: int, vocab_first: bool, softcap: float | None,
    train_head: bool,
) -> tuple[Any, Any]:  # fmt: skip
    def one(total: Any, chunk: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        h, t, m = chunk
        each, _ = _nll_of(_logits(h, weight, vocab_first, softcap), t)
        return total + jnp.sum(each * m), each

    total, each = jax.lax.scan(one, jnp.float32(0), tuple(_chunks(x, size) for x in (hidden, targets, weights)))
    return total, _whole(each)


def _fused_forward(
    hidden: Any, targets: Any, weights: Any, weight: Any, size: int, vocab_first: bool, softcap: float | None,
    train_head: bool,
) -> tuple[Any, Any]:  # fmt: skip
    to_hidden = "bcv,vd->bcd" if vocab_first else "bcv,dv->bcd"
    to_head = "bcv,bcd->vd" if vocab_first else "bcv,bcd->dv"

    def one(carry: tuple[Any, Any], chunk: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        (total, d_head), (h, t, m) = carry, chunk
        logits = _logits(h, weight, vocab_first, softcap)
        each, log_sum = _nll_of(logits, t)
        # d nll / d logit = softmax - one_hot(target)
        slope = jnp.exp(logits - log_sum[..., None])
        slope = jnp.where(jnp.arange(logits.shape[-1]) == t[..., None], slope - 1, slope) * m[..., None]
        if softcap is not None:
            slope = slope * (1 - (logits / softcap) ** 2)  # d tanh
        slope = slope.astype(h.dtype)
        d_hidden = jnp.einsum(to_hidden, slope, weight.astype(h.dtype))
        if train_head:
            d_head = d_head + jnp.einsum(to_head, slope, h, preferred_element_type=jnp.float32)
        return (total + jnp.sum(each * m), d_head), (each, d_hidden)

    start = jnp.zeros(weight.shape if train_head else (), jnp.float32)
    chunks = tuple(_chunks(x, size) for x in (hidden, targets, weights))
    (total, d_head), (each, d_hidden) = jax.lax.scan(one, (jnp.float32(0), start), chunks)
    return (total, _whole(each)), (_whole(d_hidden), d_head, weight, targets, weights)


def _fused_backward(
    size: int, vocab_first: bool, softcap: float | None, train_head: bool, kept: Any, slopes: tuple[Any, Any]
) -> tuple[Any, Any, Any, Any]:
    d_hidden, d_head, weight, targets, weights = kept
    total = slopes[0]  # the nll of each token is for reports only
    d_weight = (d_head * total).astype(weight.dtype) if train_head else jnp.zeros_like(weight)
    no_target = jnp.zeros(targets.shape, jax.dtypes.float0)
    return d_hidden * total.astype(d_hidden.dtype), no_target, jnp.zeros_like(weights), d_weight


_fused.defvjp(_fused_forward, _fused_backward)
