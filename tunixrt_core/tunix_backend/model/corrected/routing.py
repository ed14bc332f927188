"""Choices of experts, noted in one pass through a model and repeated in another.

Where two experts score nearly the same, the rounding of a weight chooses the other one, and the output of the layer
jumps. Two models can be compared number by number only while both use the experts that one of them chose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp

_Pass = tuple[list[Any], Sequence[Any] | None]
_entered: ContextVar[_Pass | None] = ContextVar("routing", default=None)


@contextmanager
def routing(given: Sequence[Any] | None) -> Iterator[list[Any]]:
    """Within the block routers note their scores, [batch, length, experts] of each layer, in the list that it yields.

    With `given`, such a list, each layer uses the experts that those scores choose, weighted by its own. No layer may
    be recomputed, since its scores could not leave it.
    """
    noted: list[Any] = []
    token = _entered.set((noted, given))
    try:
        yield noted
    finally:
        _entered.reset(token)


def routed(scores: Any, count: int) -> Any:
    """The scores of a layer's experts, minus infinity for those that the pass has not given; unchanged outside."""
    if (entered := _entered.get()) is None:
        return scores
    noted, given = entered
    noted.append(scores)
    if given is None:
        return scores
    _, places = jax.lax.top_k(jax.nn.softmax(given[len(noted) - 1].astype(jnp.float32), axis=-1), count)
    return jnp.where(jax.nn.one_hot(places, scores.shape[-1], dtype=bool).any(-2), scores, -jnp.inf)
