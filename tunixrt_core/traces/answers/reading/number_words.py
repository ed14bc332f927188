"""Numbers in English words, such as `twenty-one`."""

from __future__ import annotations

import re
from fractions import Fraction

from tunixrt_core.traces.answers.reading.vocabulary import words_of

_ONES = {
    word: value
    for value, word in enumerate(
        words_of(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen"
        )
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(words_of("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
_TENS["fourty"] = 40
_SCALES = {
    "hundred": 100,
    "dozen": 12,
    "thousand": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
_PARTS = {
    "half": 2,
    "halve": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    "twentieth": 20,
    "hundredth": 100,
    "thousandth": 1000,
}
_ORDINALS = {
    **{word: value for word, value in _PARTS.items() if word not in ("half", "halve", "quarter")},
    "first": 1,
    "second": 2,
    "thirteenth": 13,
    "fourteenth": 14,
    "fifteenth": 15,
    "sixteenth": 16,
    "seventeenth": 17,
    "eighteenth": 18,
    "nineteenth": 19,
    "thirtieth": 30,
    "fortieth": 40,
    "fiftieth": 50,
}
_WORD = re.compile(r"[a-z]+")
_FIRST = frozenset({*_ONES, *_TENS, "a", "an", "half", "quarter", "dozen", "minus", "negative", "hundred", "thousand"})


def scale_of(word: str) -> int | None:
    """The factor of `million`, `dozens` and similar words. None for other words."""
    return _SCALES.get(word.casefold().removesuffix("s"))


def ordinal_of(word: str) -> int | None:
    """`3` for `third`."""
    before, _, last = word.casefold().rpartition("-")
    value = _ORDINALS.get(last)
    if not before:
        return value
    return None if value is None or value > 9 or before not in _TENS else _TENS[before] + value


def number_in_words(text: str) -> tuple[Fraction, str] | None:
    """The number that a text begins with, in words, and the rest of the text; None where it begins with none."""
    first = _WORD.match(text.casefold())
    if first is None or first[0] not in _FIRST:
        return None
    words = [(m[0], m.end()) for m in _WORD.finditer(text.casefold())]
    if any(sign not in " -" for sign in _between(text, words)):
        words = words[: _run(text, words)]
    sign = -1 if words[0][0] in ("minus", "negative") else 1
    start = 1 if sign < 0 else 0
    found = _Parser([word for word, _ in words], start).number()
    if found is None:
        return None
    value, used = found
    return sign * value, text[words[used - 1][1] :].strip()


def _between(text: str, words: list[tuple[str, int]]) -> str:
    return "".join(text[end : words[i + 1][1] - len(words[i + 1][0])] for i, (_, end) in enumerate(words[:-1]))


def _run(text: str, words: list[tuple[str, int]]) -> int:
    """The number of leading words with nothing but spaces and hyphens between them."""
    for i, (_, end) in enumerate(words[:-1]):
        if text[end : words[i + 1][1] - len(words[i + 1][0])].strip(" -"):
            return i + 1
    return len(words)


class _Parser:
    def __init__(self, words: list[str], at: int) -> None:
        self._words = words
        self._at = at

    def number(self) -> tuple[Fraction, int] | None:
        """The value, and how many words it took."""
        whole = self._part() or self._whole()
        if whole is None:
            return None
        if self._word() == "point" and whole.denominator == 1:
            whole = self._decimals(whole)
        elif self._word() == "and":
            whole = self._and_a_part(whole)
        return whole, self._at

    def _word(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._words[at] if at < len(self._words) else ""

    def _part(self) -> Fraction | None:
        """`half`, `a quarter`, `two thirds`, `half a million`."""
        first = self._word()
        count = 1 if first in ("a", "an", "half", "quarter") else _ONES.get(first)
        name = first if first in ("half", "quarter") else self._word(1)
        under = _PARTS.get(name.removesuffix("s")) or (_PARTS.get("half") if name == "halves" else None)
        if count is None or not under:
            return None
        self._at += 1 if name == first else 2
        value = Fraction(count, under)
        ahead = 1 if self._word() in ("a", "of") else 0
        if (scale := _SCALES.get(self._word(ahead).removesuffix("s"))) is not None:
            self._at += ahead + 1
            value *= scale
        return value

    def _whole(self) -> Fraction | None:
        total, current, seen = 0, None, False
        while word := self._word():
            step = self._step(word, current)
            if step is None:
                break
            current, seen = step, True
            scale = _SCALES.get(word.removesuffix("s") if len(word) > 4 else word, 0)
            if scale >= 1000:
                total, current = total + (current or 0), None
        return Fraction(total + (current or 0)) if seen else None

    def _step(self, word: str, current: int | None) -> int | None:
        """The current group with one word more. None where the word cannot follow it."""
        low = 0 if current is None else current % 100
        if word in _ONES and (current is None or low == 0 or (low in _TENS.values() and 0 < _ONES[word] < 10)):
            return self._take((current or 0) + _ONES[word])
        if word in _TENS and (current is None or low == 0):
            return self._take((current or 0) + _TENS[word])
        scale = _SCALES.get(word.removesuffix("s"))
        if scale is not None and (current or word == self._words[0]):
            return self._take((current or 1) * scale)
        if word in ("a", "an") and current is None and _SCALES.get(self._word(1)):
            return self._take(1)
        if word == "and" and current and low == 0 and (self._word(1) in _ONES or self._word(1) in _TENS):
            if _PARTS.get(self._word(2).removesuffix("s")):
                return None
            return self._take(current)
        return None

    def _take(self, value: int) -> int:
        self._at += 1
        return value

    def _decimals(self, whole: Fraction) -> Fraction:
        digits, at = "", self._at + 1
        while at < len(self._words) and _ONES.get(self._words[at], 10) < 10:
            digits += str(_ONES[self._words[at]])
            at += 1
        if not digits:
            return whole
        self._at = at
        return whole + Fraction(int(digits), 10 ** len(digits))

    def _and_a_part(self, whole: Fraction) -> Fraction:
        kept = self._at
        self._at += 1
        part = self._part()
        if part is None or part >= 1:
            self._at = kept
            return whole
        return whole + part
