"""Word n-grams as numbers, with their positions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from tunixrt_core.traces.words import WHOLE, WORD, is_special, plain, tokens, windows

_MASK, _BASE = (1 << 64) - 1, 0x9E3779B97F4A7C15
_MOST_KNOWN = 200_000
_KNOWN: dict[str, int] = {}


class Stretch(NamedTuple):
    """Where a stretch begins and ends in its text, in characters, and how many words it is long."""

    start: int
    end: int
    words: int


def grams(text: str, size: int) -> Iterator[int]:
    """Every n-gram of a text as a number of 64 bits, in order: the one of place i begins at word i.

    A sum of word numbers times powers of an odd number, modulo 2**64, so that the next one costs one step. A text of
    fewer words than an n-gram has none. In scripts without spaces a word is a number of characters (`traces/words.py`).
    """
    if is_special(text):
        yield from _weighted(text, size)
        return
    numbers = [_KNOWN.get(word) or _number(word) for word in WORD.findall(text)]
    top = pow(_BASE, size, 1 << 64)
    value = 0
    for i, number in enumerate(numbers):
        value = (value * _BASE + number) & _MASK
        if i >= size:
            value = (value - numbers[i - size] * top) & _MASK
        if i >= size - 1:
            yield value


def stretch_of(text: str, size: int, first: int, run: int) -> Stretch:
    """The stretch of `run` n-grams of `size` words, one after the other, from the one at place `first` on."""
    found = tokens(text)
    last = first + run - 1
    _, end = next(windows([token.weight for token in found[last:]], size))
    words = sum(token.weight for token in found[first : last + end]) // WHOLE
    return Stretch(found[first].start, found[last + end - 1].end, words)


def count_words(text: str) -> int:
    """How many words a text is long; in a script without spaces, some of its characters make one."""
    return sum(token.weight for token in tokens(text)) // WHOLE


def _weighted(text: str, size: int) -> Iterator[int]:
    """The same sum over n-grams of as many tokens as weigh `size` words."""
    found = tokens(text)
    numbers = [_KNOWN.get(token.text) or _number(token.text) for token in found]
    powers, value, last = [1], 0, 0
    for first, end in windows([token.weight for token in found], size):
        for number in numbers[last:end]:
            value = (value * _BASE + number) & _MASK
        last = end
        while len(powers) < end - first:
            powers.append(powers[-1] * _BASE & _MASK)
        yield value
        value = (value - numbers[first] * powers[end - first - 1]) & _MASK


def _number(word: str) -> int:
    """The same number for a word, however it is written, in every process; Python's own hash differs."""
    if len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.clear()
    number = _KNOWN[word] = int.from_bytes(hashlib.blake2b(plain(word).encode(), digest_size=8).digest(), "little")
    return number
