"""math-verify on one pair of answers, inside a worker process only."""

from __future__ import annotations

import logging
import re

from math_verify import parse, verify  # type: ignore[import-untyped]

# it warns at every call that its own timeout is off; the pool's is on
logging.getLogger("math_verify").setLevel(logging.ERROR)

_COMMAND = re.compile(r"\\[a-zA-Z]+")
_PROSE = re.compile(r"[^\W\d_]{3}")


def verdict(given: str, reference: str) -> str:
    """`right`, `wrong`, or `unparsable` where one of the two holds nothing that can be computed with."""
    expected = _parsed(reference)
    found = _parsed(given)
    if not expected or not found:
        return "unparsable"
    return "right" if verify(expected, found, timeout_seconds=None) else "wrong"


def _parsed(text: str) -> list[object]:
    found: list[object] = []
    if "$" not in text and "\\boxed" not in text and not _PROSE.search(_COMMAND.sub("", text)):
        # an expression without its dollar signs, such as x^2+1 or (1, 2), of which it would else read one number only;
        # of prose it would make a product of letters
        found = parse(f"${text}$", parsing_timeout=None)
    return found or parse(text, parsing_timeout=None)
