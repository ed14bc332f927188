"""Number types of weights: held in one, computed in another.

AdamW changes a weight by about the learning rate. A bfloat16 keeps 8 bits, so a weight of 0.02 that is held in it stays
where it is at any learning rate below 6e-5: trained weights are held in float32 and cast for each forward pass.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def hold(model: Any, kind: type, dtype: Any) -> None:
    """Cast the variables of this kind, such as nnx.LoRAParam, in place."""
    leaves, tree = jax.tree.flatten(nnx.state(model, kind))
    if any(leaf.dtype != dtype for leaf in leaves):
        nnx.update(model, jax.tree.unflatten(tree, _cast(leaves, dtype)))


@partial(jax.jit, static_argnums=1)
def _cast(leaves: list[Any], dtype: Any) -> list[Any]:
    return [leaf.astype(dtype) for leaf in leaves]


def computing(model: Any, dtype: Any) -> Any:
    """The model with its float32 weights cast to the type that it computes in; itself where there are none to cast.

    In a differentiated function the gradients come back in float32.
    """
    graph, state = nnx.split(model)
    if dtype == jnp.float32 or not any(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state)):
        return model
    return nnx.merge(graph, cast(state, dtype))


def cast(tree: Any, dtype: Any) -> Any:
    """The tree with its float32 arrays in another type; others, such as quantised ones, stay as they are."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype == jnp.float32 else leaf, tree)
