"""Sizes and switches of a model, whatever its family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunixrt_core.tunix_backend.model.corrected.rope import inverse_frequencies


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary positions: the base, and the scaling rule, if any."""

    theta: float
    scaling: Mapping[str, Any] | None = None

    def frequencies(self, head_dim: int) -> tuple[float, ...]:
        """Radians per position for each of the head_dim / 2 pairs."""
        return inverse_frequencies(head_dim, self.theta, self.scaling)


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts in every layer: how many there are, and how many of them each token uses."""

    count: int
    per_token: int


@dataclass(frozen=True, slots=True)
class Gemma4:
    """What Gemma 4 has and no other family.

    * `global_head_dim`: size of a head in the layers that see everything.
    * `borrowing`: how many of the last layers use the keys and values of an earlier layer instead of their own.
    * `borrowing_hidden_dim`: the width of the MLP of these.
    * `per_layer_dim`: size of the embedding that each layer adds per token; 0 where there is none.
    """

    global_head_dim: int
    borrowing: int
    borrowing_hidden_dim: int
    per_layer_dim: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """A text model as its config.json describes it. `kind` is its model_type, one of configs.reading.KINDS."""

    kind: str
    layers: int
    vocab_size: int | None  # None where config.json leaves it to the weights
    embed_dim: int
    hidden_dim: int  # of the MLP; of one expert where there are several
    heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    tied: bool
    rope: Rope
    local_rope: Rope | None = None  # of the layers that see only a window, where theirs differs
    local_layers: tuple[bool, ...] = ()  # for each layer, whether it sees only a window
    window: int | None = None  # tokens that a local layer sees, its own among them
    query_scalar: float | None = None  # queries are divided by its root, where that is not head_dim's
    attention_softcap: float | None = None
    logit_softcap: float | None = None
    experts: Experts | None = None
    gemma4: Gemma4 | None = None

    def head_dim_of(self, layer: int) -> int:
        """Size of a head in this layer."""
        return self.head_dim if self.gemma4 is None or self.local_layers[layer] else self.gemma4.global_head_dim

    def hidden_dim_of(self, layer: int) -> int:
        """Width of the MLP of this layer."""
        return self.gemma4.borrowing_hidden_dim if self.gemma4 and self.lender(layer) != layer else self.hidden_dim

    def lender(self, layer: int) -> int:
        """The layer whose keys and values this layer uses: itself, or the last one of its kind that has its own."""
        own = self.layers - (self.gemma4.borrowing if self.gemma4 else 0)
        if layer < own:
            return layer
        return max(i for i in range(own) if self.local_layers[i] == self.local_layers[layer])
