"""Scorers: plain functions from one prediction to one score. Each has a name and a version."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tunixrt_core.render import ParsedCompletion


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named rule. `score(parsed, reference)` is from 0 to 1, higher is better."""

    name: str
    version: int
    score: Callable[[ParsedCompletion, str], float]


def exact_match(parsed: ParsedCompletion, reference: str) -> float:
    """1 where the final answer equals the reference, as text or as a number (see `same_answer`)."""
    return float(parsed.answer is not None and same_answer(parsed.answer, reference))


def format_valid(parsed: ParsedCompletion, reference: str) -> float:
    """1 where the expected structure is there, so that an answer could be read from it."""
    return float(parsed.answer is not None)


SCORERS: tuple[Scorer, ...] = (Scorer("exact_match", 1, exact_match), Scorer("format_valid", 1, format_valid))


def same_answer(given: str, reference: str) -> bool:
    """Equal after trimming and folding case, or equal as numbers: `1,000`, `$1000` and `1000.00` are the same."""
    left, right = _plain(given), _plain(reference)
    if left == right:
        return True
    a, b = _number(left), _number(right)
    return a is not None and a == b


_NUMBER = re.compile(r"[-+]?(\d+|\d{1,3}(,\d{3})+)?(\.\d+)?")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).removesuffix(".")


def _number(text: str) -> Decimal | None:
    bare = text.replace("$", "", 1).removesuffix("%").strip()
    if not any(c.isdigit() for c in bare) or not bare.isascii() or not _NUMBER.fullmatch(bare):
        return None
    try:
        return Decimal(bare.replace(",", ""))
    except InvalidOperation:
        return None
