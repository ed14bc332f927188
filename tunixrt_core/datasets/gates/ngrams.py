"""Stretches of words as numbers that can be looked up, and where they stand in their text."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator

from tunixrt_core.datasets.gates.texts import WORD

_MASK, _BASE = (1 << 64) - 1, 0x9E3779B97F4A7C15
_MOST_KNOWN = 200_000
_KNOWN: dict[str, int] = {}


def grams(text: str, size: int) -> Iterator[int]:
    """Every n-gram of a text as a number of 64 bits, in order: the one of place i begins at word i.

    A sum of word numbers times powers of an odd number, modulo 2**64, so that the next one costs one step. A text of
    fewer words than an n-gram has none.
    """
    numbers = [_KNOWN.get(word) or _number(word) for word in WORD.findall(text)]
    top = pow(_BASE, size, 1 << 64)
    value = 0
    for i, number in enumerate(numbers):
        value = (value * _BASE + number) & _MASK
        if i >= size:
            value = (value - numbers[i - size] * top) & _MASK
        if i >= size - 1:
            yield value


def span_of(text: str, first: int, words: int) -> tuple[int, int]:
    """Where so many words from the word at place `first` begin and end in the text, in characters."""
    places = [found.span() for found in WORD.finditer(text)][first : first + words]
    return places[0][0], places[-1][1]


def _number(word: str) -> int:
    """The same number for a word, however it is written, in every process; Python's own hash differs."""
    if len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.clear()
    plain = unicodedata.normalize("NFKC", word).casefold()
    number = _KNOWN[word] = int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "little")
    return number
