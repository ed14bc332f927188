"""math-verify on one pair of answers. Runs inside a worker process only: it may hang, crash or fill the memory."""

from __future__ import annotations

import logging

from math_verify import parse, verify  # type: ignore[import-untyped]

# it warns at every call that its own timeout is off; the pool's is on
logging.getLogger("math_verify").setLevel(logging.ERROR)


def verdict(given: str, reference: str) -> str:
    """`right`, `wrong`, or `unparsable` where one of the two holds nothing that can be computed with."""
    expected = _parsed(reference)
    found = _parsed(given)
    if not expected or not found:
        return "unparsable"
    return "right" if verify(expected, found, timeout_seconds=None) else "wrong"


def _parsed(text: str) -> list[object]:
    found: list[object] = parse(text, parsing_timeout=None)
    if not found and "$" not in text:
        # an expression without its dollar signs, such as x^2+1
        found = parse(f"${text}$", parsing_timeout=None)
    return found
