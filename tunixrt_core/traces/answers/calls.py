"""Comparison of answers that are tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.rendering.read_calls import read_calls


def compare_calls(expected: str, given: str) -> Verdict | None:
    """Whether the same tools are called with the same arguments, in any order; None where no call is expected."""
    wanted = read_calls(expected)[1]
    if not wanted:
        return None
    left = list(read_calls(given)[1])
    if not left:
        return Verdict.UNKNOWN
    for call in wanted:
        same = (other for other in left if other.name == call.name and same_json(call.value, other.value))
        twin = next(same, None)
        if twin is None:
            return Verdict.DIFFERENT
        left.remove(twin)
    return Verdict.DIFFERENT if left else Verdict.SAME


def same_json(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: keys in any order, `2` and `2.0` the same number, `true` none."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_json(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_json(*pair) for pair in zip(a, b, strict=True))
    return bool(a == b) and isinstance(a, bool) is isinstance(b, bool)
