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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import PartitionSpec

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.training_sections import LossSection
from tunixrt_core.training.estimates.loss_layout import LossLayout, loss_layout
from tunixrt_core.tunix_backend.model.entered import entered_mesh


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
    hidden: Any, head: Head, targets: Any, weights: Any, *, section: LossSection, train_head: bool
) -> tuple[jax.Array, jax.Array]:
    """`(sum(weights * nll), nll)` with nll [batch, length] in nats, computed in float32.

    hidden [batch, length, dim], targets int [batch, length], weights float [batch, length]. Only the sum has a
    gradient: to `hidden`, and to the head where `train_head`. On a mesh the head is laid out once, before the loop
    over chunks, and its gradient is summed over devices once, after it.
    """
    mesh = entered_mesh()
    sizes = {} if mesh is None else dict(mesh.shape)
    fsdp, tp = sizes.get("fsdp", 1), sizes.get("tp", 1)
    batch, length, dim = hidden.shape
    vocabulary = head.weight.shape[0 if head.vocab_first else 1]
    laid_out = loss_layout(section, batch=batch, length=length, vocabulary=vocabulary, fsdp=fsdp, tp=tp)
    axes = _axes(laid_out, batch, vocabulary, dim, fsdp, tp) if fsdp * tp > 1 else _Axes()
    missing = -length % laid_out.chunk
    padded = [jnp.pad(x, ((0, 0), (0, missing)) + ((0, 0),) * (x.ndim - 2)) for x in (hidden, targets, weights)]
    how = _How(laid_out.chunk, head.vocab_first, head.softcap, train_head, mesh if fsdp * tp > 1 else None, axes)
    total, each = _fused(*padded, head.weight, how)
    return total, each[:, :length]


class _Axes(NamedTuple):
    """Mesh axes: of the rows that a device works on, of its part of the vocabulary, and those that gradients are spread
    over when they are summed: of hidden states by rows, of the head by dim.
    """

    rows: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    hidden_sums: tuple[str, ...] = ()
    head_sums: tuple[str, ...] = ()


def _axes(laid_out: LossLayout, batch: int, vocabulary: int, dim: int, fsdp: int, tp: int) -> _Axes:
    even = batch % fsdp == 0
    if laid_out.whole_batch:
        return _Axes((), ("tp", "fsdp"), ("fsdp",) if even else ())
    rows = ("fsdp",) if even else ()
    return _Axes(rows, ("tp",) if vocabulary % tp == 0 else (), (), rows if dim % fsdp == 0 else ())


class _How(NamedTuple):
    """What does not change while the loss is traced. `mesh` is None for one device."""

    chunk: int
    vocab_first: bool
    softcap: float | None
    train_head: bool
    mesh: Any
    axes: _Axes


def _chunks(x: Any, size: int) -> Any:
    """[batch, length, ...] -> [chunks, batch, size, ...]; the batch axis, which is sharded, is kept."""
    return jnp.moveaxis(x.reshape(x.shape[0], -1, size, *x.shape[2:]), 1, 0)


def _whole(x: Any) -> Any:
    x = jnp.moveaxis(x, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])


def _logits(hidden: Any, weight: Any, how: _How) -> Any:
    equation = "bcd,vd->bcv" if how.vocab_first else "bcd,dv->bcv"
    logits = jnp.einsum(equation, hidden, weight, preferred_element_type=jnp.float32)
    return logits if how.softcap is None else jnp.tanh(logits / how.softcap) * how.softcap


def _nll_of(logits: Any, targets: Any, axes: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """Of each token: the loss, the logarithm of its sum, and where its target is among this device's logits."""
    own = logits.shape[-1]
    place = targets - (jax.lax.axis_index(axes) * own if axes else 0)
    hit = jnp.arange(own) == place[..., None]
    highest = jnp.max(logits, axis=-1)
    highest = jax.lax.pmax(highest, axes) if axes else highest
    sums = jnp.sum(jnp.exp(logits - highest[..., None]), axis=-1), jnp.sum(jnp.where(hit, logits, 0), axis=-1)
    total, chosen = jax.lax.psum(sums, axes) if axes else sums
    log_sum = highest + jnp.log(total)
    return log_sum - chosen, log_sum, hit


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _fused(hidden: Any, targets: Any, weights: Any, weight: Any, how: _How) -> tuple[Any, Any]:
    total, each, *_ = _spread(_sums, hidden, targets, weights, weight, how)
    return total, each


def _spread(local: Any, hidden: Any, targets: Any, weights: Any, weight: Any, how: _How) -> Any:
    """`local` on the arrays of one device: total, nll of each token, gradients of the hidden states and of the head."""
    arrays = hidden, targets, weights, weight.astype(hidden.dtype)
    run = partial(local, how=how)
    if how.mesh is None:
        return run(*arrays)
    axes = how.axes
    rows, vocabulary = PartitionSpec(axes.rows or None), axes.vocabulary or None
    head = PartitionSpec(vocabulary, None) if how.vocab_first else PartitionSpec(None, vocabulary)
    dim = axes.head_sums or None
    d_head = PartitionSpec(vocabulary, dim) if how.vocab_first else PartitionSpec(dim, vocabulary)
    d_hidden = PartitionSpec((axes.rows + axes.hidden_sums) or None)
    # the head comes as the loop needs it, so that nothing gathers it for each chunk
    return jax.shard_map(
        run,
        mesh=how.mesh,
        in_specs=(rows, rows, rows, head),
        out_specs=(PartitionSpec(), rows, d_hidden, d_head if how.train_head else PartitionSpec()),
        check_vma=False,
    )(*arrays)


def _sums(hidden: Any, targets: Any, weights: Any, weight: Any, *, how: _How) -> tuple[Any, ...]:
    def one(total: Any, chunk: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        h, t, m = chunk
        each, *_ = _nll_of(_logits(h, weight, how), t, how.axes.vocabulary)
        return total + jnp.sum(each * m), each

    total, each = jax.lax.scan(one, jnp.float32(0), tuple(_chunks(x, how.chunk) for x in (hidden, targets, weights)))
    none = jnp.zeros(weight.shape if how.train_head else (), jnp.float32)
    return _summed(total, how.axes.rows), _whole(each), jnp.zeros_like(hidden), none


def _with_slopes(hidden: Any, targets: Any, weights: Any, weight: Any, *, how: _How) -> tuple[Any, ...]:
    to_hidden = "bcv,vd->bcd" if how.vocab_first else "bcv,dv->bcd"
    to_head = "bcv,bcd->vd" if how.vocab_first else "bcv,bcd->dv"
    axes = how.axes
    # where the vocabulary is split, each device has a part of the sum, which is rounded after it is whole
    part = jnp.float32 if axes.vocabulary else hidden.dtype

    def one(carry: tuple[Any, Any], chunk: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        (total, d_head), (h, t, m) = carry, chunk
        logits = _logits(h, weight, how)
        each, log_sum, hit = _nll_of(logits, t, axes.vocabulary)
        # d nll / d logit = softmax - one_hot(target)
        slope = jnp.exp(logits - log_sum[..., None])
        slope = jnp.where(hit, slope - 1, slope) * m[..., None]
        if how.softcap is not None:
            slope = slope * (1 - (logits / how.softcap) ** 2)  # d tanh
        slope = slope.astype(h.dtype)
        d_hidden = jnp.einsum(to_hidden, slope, weight, preferred_element_type=part)
        if how.train_head:
            d_head = d_head + jnp.einsum(to_head, slope, h, preferred_element_type=jnp.float32)
        return (total + jnp.sum(each * m), d_head), (each, d_hidden)

    start = jnp.zeros(weight.shape if how.train_head else (), jnp.float32)
    chunks = tuple(_chunks(x, how.chunk) for x in (hidden, targets, weights))
    (total, d_head), (each, d_hidden) = jax.lax.scan(one, (jnp.float32(0), start), chunks)
    d_hidden = _summed(_whole(d_hidden), axes.vocabulary, spread=axes.hidden_sums, along=0)
    if how.train_head:
        d_head = _summed(d_head, axes.rows, spread=axes.head_sums, along=1 if how.vocab_first else 0)
    return _summed(total, axes.rows), _whole(each), d_hidden.astype(hidden.dtype), d_head


def _summed(x: Any, axes: tuple[str, ...], spread: tuple[str, ...] = (), along: int = 0) -> Any:
    """The sum over mesh axes; over those in `spread`, each device gets a part of it along this axis of the array."""
    if spread:
        x = jax.lax.psum_scatter(x, spread, scatter_dimension=along, tiled=True)
    rest = tuple(axis for axis in axes if axis not in spread)
    return jax.lax.psum(x, rest) if rest else x


def _fused_forward(hidden: Any, targets: Any, weights: Any, weight: Any, how: _How) -> tuple[Any, Any]:
    total, each, d_hidden, d_head = _spread(_with_slopes, hidden, targets, weights, weight, how)
    return (total, each), (d_hidden, d_head, weight, targets, weights)


def _fused_backward(how: _How, kept: Any, slopes: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    d_hidden, d_head, weight, targets, weights = kept
    total = slopes[0]  # the nll of each token is for reports only
    d_weight = (d_head * total).astype(weight.dtype) if how.train_head else jnp.zeros_like(weight)
    no_target = jnp.zeros(targets.shape, jax.dtypes.float0)
    return d_hidden * total.astype(d_hidden.dtype), no_target, jnp.zeros_like(weights), d_weight


_fused.defvjp(_fused_forward, _fused_backward)
