"""Values of OpenTelemetry spans, in OTLP's pairs, objects or names with dots."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.errors import InvalidTrace

_OTLP = frozenset(f"{kind}Value" for kind in ("string", "bool", "int", "double", "bytes", "array", "kvlist"))


def pairs_of(pairs: Sequence[Any]) -> dict[str, Any]:
    """Name -> value, of pairs of OTLP in JSON."""
    return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs if isinstance(pair, dict)}


def _value(value: Any) -> Any:
    """A value of OTLP in JSON: `{"stringValue": ...}` and so on."""
    if not isinstance(value, dict) or len(value) != 1 or value.keys().isdisjoint(_OTLP):
        return value
    ((kind, held),) = value.items()
    inner = held.get("values") if isinstance(held, dict) else None
    if kind == "arrayValue":
        return [_value(item) for item in inner or []]
    if kind == "kvlistValue":
        return pairs_of(inner or [])
    if kind == "intValue" and isinstance(held, str) and held.lstrip("-").isdecimal():
        return int(held)
    return held


def flat(
    held: Mapping[str, Any], own: tuple[str, ...], whole: Collection[str], before: str = ""
) -> Iterator[tuple[str, Any]]:
    """Objects inside of objects as names with dots, down to what is no object; of names that begin as one of `own`,
    but for those of `whole`.
    """
    for key, value in held.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and name not in whole and (name + ".").startswith(own):
            yield from flat(value, own, whole, f"{name}.")
        else:
            yield name, value


def json_of(value: Any) -> Any:
    """What a text says as JSON; a text that is none, and any other value, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def deep(value: Any) -> Any:
    """A value of OTLP with those inside of it; any other value as it is."""
    found = _value(value)
    if isinstance(found, dict):
        return {key: deep(inner) for key, inner in found.items()}
    return [deep(item) for item in found] if isinstance(found, list) else found


def nested(parts: Mapping[str, Any]) -> list[Any]:
    """`{"0.role": ..., "0.tool_calls.0.name": ...}` as a list of objects. Raises InvalidTrace."""
    whole: dict[str, Any] = {}
    for path, value in parts.items():
        at = whole
        *outer, last = path.split(".")
        for key in outer:
            inner = at.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidTrace(path, "is a value and holds others. Write the span again")
            at = inner
        at[last] = value
    found = _listed(whole)
    return found if isinstance(found, list) else [found]


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = {key: _listed(inner) for key, inner in value.items()}
    if made and all(key.isdecimal() for key in made):
        return [made[key] for key in sorted(made, key=int)]
    return made
