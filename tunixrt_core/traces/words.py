"""Words of a text in any script, and the characters that no reader sees.

Chinese, Japanese, Thai, Lao, Khmer and Burmese write no spaces between words, and a Korean word carries its grammar:
there each character counts as a word, or as a part of one. The parts are measured on translations of one collection
of problems: no more of its different problems share an n-gram in Chinese, Japanese and Thai than in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

WORD = re.compile(r"\w+")  # letters, digits and underscores; marks do not count
WHOLE = 6  # the weight of a word; a kana or Hangul syllable is half a word, a letter of Thai a third

_FAR_HAN = "\U00020000-\U000323af"
_HAN = f"\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff{_FAR_HAN}"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3105-\u312f\uff66-\uff9d"
_KANA_MARKS = "\u3099\u309a\uff9e\uff9f"
_HANGUL = "\u3131-\u3163\uac00-\ud7a3"
# a syllable of Hangul taken apart, as NFD writes it: consonants, vowels, final consonants
_JAMO = ("\u1100-\u115e\ua960-\ua97c", "\u1161-\u11a7\ud7b0-\ud7c6", "\u11a8-\u11ff\ud7cb-\ud7fb")
_LETTERS = (
    "\u0e01-\u0e2f\u0e40-\u0e46\u0e81-\u0eaf\u0ebd\u0ec0-\u0ec6\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u105d\u1061\u1065\u1066\u106e-\u1070\u1075-\u1081\u108e\uaa60-\uaa76"
    "\u1780-\u17b3\u17d7\u17dc"  # Khmer
)
# vowels and tones that belong to the letter before them
_LETTER_MARKS = (
    "\u0e30-\u0e3a\u0e47-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064"
    "\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\uaa7b-\uaa7d\u17b6-\u17d3\u17dd"
)
UNSPACED = f"{_HAN}{_KANA}{_KANA_MARKS}{_HANGUL}{''.join(_JAMO)}{_LETTERS}{_LETTER_MARKS}"  # of a class in a pattern
# soft hyphen, joiners and spaces of no width, marks of direction, selectors of variants, fillers, tags
_FAR_INVISIBLE = "\U000e0000-\U000e0fff"
INVISIBLE = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    f"{_FAR_INVISIBLE}"
)
_UNSEEN = re.compile(f"[{INVISIBLE}]+")
_WEIGHTS = (0, WHOLE, WHOLE // 2, WHOLE // 3, WHOLE)  # by the group of the pattern of tokens
_CURLY = {"'": "\u2018\u2019\u201a\u201b\u02bc\u2032", '"': "\u201c\u201d\u201e\u201f\u2033"}
_STRAIGHT = str.maketrans({mark: quote for quote, marks in _CURLY.items() for mark in marks})
_QUOTES = re.compile(f"[{''.join(_CURLY.values())}]")


class Token(NamedTuple):
    """A word as written in its text, or a character that counts as a part of one; `weight` in sixths of a word."""

    text: str
    start: int
    end: int
    weight: int


def is_special(text: str) -> bool:
    """Whether the words of the text are not simply what `WORD` finds."""
    return not text.isascii() and any(pattern.search(text) for pattern in _special())


def tokens(text: str) -> list[Token]:
    """The words and characters of a text in any script, in order."""
    if not is_special(text):
        return [Token(found.group(), *found.span(), WHOLE) for found in WORD.finditer(text)]
    return [Token(found.group(), *found.span(), _WEIGHTS[found.lastindex or 0]) for found in _token().finditer(text)]


def plain(text: str) -> str:
    """The text for comparing: without what no reader sees, NFKC, case-folded."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", visible(text)).casefold()


def visible(text: str) -> str:
    """The text without characters that no reader sees."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def straight(text: str) -> str:
    """The text with straight quotes for curly ones and primes."""
    return text.translate(_STRAIGHT) if _QUOTES.search(text) else text


def windows(weights: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """The n-grams of `size` words: from each token the fewest that weigh as much, as places `(first, end)`.

    Tokens near the end, where too few follow, begin none.
    """
    end, held, wanted = 0, 0, size * WHOLE
    for first, weight in enumerate(weights):
        while held < wanted:
            if end == len(weights):
                return
            held += weights[end]
            end += 1
        yield first, end
        held -= weight


# compiled when a text needs them: to import them would take longer than a command that needs none


@cache
def _special() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Near and far characters by themselves: one class of both is searched ten times as slowly."""
    near = re.sub(f"{_FAR_HAN}|{_FAR_INVISIBLE}", "", f"{UNSPACED}{INVISIBLE}")
    return re.compile(f"[{near}]"), re.compile(f"[{_FAR_HAN}{_FAR_INVISIBLE}]")


@cache
def _token() -> re.Pattern[str]:
    first, vowel, last = _JAMO
    return re.compile(
        f"([{_HAN}])|([{_KANA}][{_KANA_MARKS}]?|[{_HANGUL}]|[{first}][{vowel}]+[{last}]?)"
        f"|([{_LETTERS}][{_LETTER_MARKS}{INVISIBLE}]*)|([^\\W{UNSPACED}](?:[^\\W{UNSPACED}]|[{INVISIBLE}])*)"
    )
