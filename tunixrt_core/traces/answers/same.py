"""Whether two short answers are the same, however they are written: as text, or as a number."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from tunixrt_core.traces.answers.numbers import same_number


def same_answer(given: str, reference: str) -> bool:
    """Equal after trimming and folding case, or equal as numbers: `1,000`, `$1000` and `1000.00` are the same."""
    left, right = _plain(given), _plain(reference)
    if left == right:
        return True
    a, b = _number(left), _number(right)
    return a is not None and a == b


def cheap_verdict(given: str, reference: str) -> bool | None:
    """Same text or same number: True; two numbers that differ: False; None where that cannot be told."""
    if same_answer(given, reference):
        return True
    return same_number(given, reference)


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
