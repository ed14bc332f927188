"""Numbers of config.json with which a model would compute no numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tunixrt_core.training.preflight.report import Finding, blocking

_ABOVE_ZERO = (
    *("rope_theta", "rope_local_base_freq", "rms_norm_eps", "max_position_embeddings", "query_pre_attn_scalar"),
    *("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
)
_MOST_DEPTH = 4  # config.json, its text_config, rope_parameters, one rule per kind of attention


def config_faults(config: Mapping[str, Any]) -> Iterator[Finding]:
    """`model_config` for each number that must be above 0 and is not; a key that is missing or null is none."""
    for name, value in _numbers(config, _MOST_DEPTH):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            yield _fault(f"config.json: {name} is {value!r}, but must be a number above 0.")
    for rule in _rules(config, _MOST_DEPTH):
        low, high = rule.get("low_freq_factor"), rule.get("high_freq_factor")
        if isinstance(low, int | float) and isinstance(high, int | float) and 0 < high <= low:
            yield _fault(
                f"config.json: high_freq_factor is {high!r}, but must be above low_freq_factor, which is {low!r}."
            )


def _fault(message: str) -> Finding:
    return blocking("model_config", message, "Download the model again.", keys=("model.id",))


def _numbers(config: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for rule in _rules(config, depth):
        yield from ((name, rule[name]) for name in _ABOVE_ZERO if rule.get(name) is not None)


def _rules(config: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """The object and the ones inside of it."""
    yield config
    if depth > 1:
        for value in config.values():
            if isinstance(value, Mapping):
                yield from _rules(value, depth - 1)
