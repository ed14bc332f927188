"""Words as answers: names, spellings and unknown words."""

from __future__ import annotations

import re
import unicodedata

from tunixrt_core.traces.answers.reading.readings import Name, Prose, Verdict
from tunixrt_core.traces.answers.reading.vocabulary import COMMON, KNOWN, SUFFIXES, words_of

_SMALL = frozenset(words_of("of de da di du des la le el al van von der den the and y bin ibn ap o' st"))
_PLACES = frozenset(words_of("new great long little old big lake river street sea sun star house mountain ocean"))
_TITLES = frozenset(words_of("mr mrs ms dr prof sir lord lady king queen president saint"))
_SHORT = {"st": "saint", "mt": "mount", "ft": "fort"}
_MOST_WORDS = 6
_PUNCTUATION = re.compile(r"[.,;:!?\"()\u2013]+(?=\s|$)|(?<=\s)[\"(]+|^[\"(]+|(?<=[A-Za-z])\.(?=[A-Za-z])")
_INITIALS = re.compile(r"\b([a-z]) (?=[a-z]\b)")
_LETTERS = re.compile(r"[^\W\d_]+(?:['.-][^\W\d_]+)*\.?")
_ROMAN = re.compile("(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})")
_CODE = re.compile(r"[_(){}\[\]=<>;/\\|#+*^@]")


def read_words(text: str) -> Name | Prose:
    """A name, where all words look like one or the vocabulary knows them; else prose."""
    plain = plain_words(text)
    words = text.split()
    if not plain or len(words) > _MOST_WORDS or any(c.isdecimal() for c in text) or _CODE.search(text):
        return prose(text)
    known = KNOWN.get(plain)
    proper = all(_capital(word) for word in words) and words[0].casefold() not in _SMALL - {"the", "st"}
    if not proper and known is None:
        return Prose(plain)
    bearing = [word for word in plain.split() if word not in _PLACES] or plain.split()
    common = any(_common(word) for word in bearing)
    return Name(tuple(plain.split()), text, proper and not common, known)


def prose(text: str) -> Prose:
    """Words that were not understood. Letters keep their case in what looks like code."""
    return Prose(" ".join(text.split()) if _CODE.search(text) else plain_words(text))


def plain_words(text: str) -> str:
    """In lower case, without articles and punctuation; abbreviations such as St. and U.S. in one form."""
    bare = _PUNCTUATION.sub("", text).replace("-", " ").casefold().split()
    if len(bare) > 1:
        bare = [word for word in bare if word not in ("the", "a", "an")] or bare
        bare = [_SHORT.get(word, word) for word in bare[:1]] + bare[1:]
    return _INITIALS.sub(r"\1", " ".join(bare))


def same_words(a: Name | Prose, b: Name | Prose) -> Verdict:
    """Same in the same words; different for two names, or two words of one class; else nobody knows."""
    first, second = _plain(a), _plain(b)
    if first == second:
        return _case(a, b)
    if first.replace(" ", "") == second.replace(" ", ""):  # `re-sign` and `resign`
        return Verdict.UNKNOWN
    if not isinstance(a, Name) or not isinstance(b, Name):
        return Verdict.UNKNOWN
    if a.known and b.known and a.known[0] == b.known[0]:
        return Verdict.SAME if a.known[1] == b.known[1] else Verdict.DIFFERENT
    if without_accents(first) == without_accents(second):
        return Verdict.SAME if a.proper and b.proper else Verdict.UNKNOWN
    if not (a.proper or _is_name(a)) or not (b.proper or _is_name(b)):
        return Verdict.UNKNOWN
    return Verdict.UNKNOWN if _may_be_one(a, b) else Verdict.DIFFERENT


def without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return "".join(c for c in parts if not unicodedata.combining(c)).translate(_LETTERS_ALIKE)


_LETTERS_ALIKE = str.maketrans({"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ı": "i"})


def _plain(words: Name | Prose) -> str:
    return " ".join(words.words) if isinstance(words, Name) else words.text


def _is_name(name: Name) -> bool:
    return name.known is not None and name.known[0] == "name"


def _case(a: Name | Prose, b: Name | Prose) -> Verdict:
    """Two letters may be two things: `Co` is cobalt and `CO` is a gas, `Aa` and `aa` are two genotypes."""
    if isinstance(a, Name) and isinstance(b, Name) and a.text != b.text and len(a.text.strip(". ")) == 2:
        return Verdict.SAME if a.known else Verdict.UNKNOWN
    return Verdict.SAME


def _capital(word: str) -> bool:
    bare = word.strip(".,;:!?'\"()")
    return bool(_LETTERS.fullmatch(bare)) and (bare[0].isupper() or bare.casefold() in _SMALL)


def _common(word: str) -> bool:
    return (
        word not in KNOWN
        and not _ROMAN.fullmatch(word)
        and (word in COMMON or (len(word) > 5 and word.endswith(SUFFIXES)))
    )


def _may_be_one(a: Name, b: Name) -> bool:
    """Whether two names may be one: a part of it, its initials, or a misspelling."""
    first, second = _bearing(a), _bearing(b)
    if first[-1] != second[-1] and _ROMAN.fullmatch(first[-1]) and _ROMAN.fullmatch(second[-1]):
        return False
    if set(first) <= set(second) or set(second) <= set(first):
        return True
    if _acronym(a) != _acronym(b) and (
        _is_initials(first, second) or _is_initials(second, first) or len(first) + len(second) > 2
    ):
        return True
    if len(first) == len(second) and all(_alike(one, two) for one, two in zip(first, second, strict=True)):
        return True
    if first[-1] == second[-1] and _short_form(first[0], second[0]):
        return True
    return _misspelt(" ".join(first), " ".join(second))


def _bearing(name: Name) -> list[str]:
    bare = [without_accents(word).rstrip(".") for word in name.words]
    return [word for word in bare if word not in _TITLES and word not in _SMALL] or bare


def _acronym(name: Name) -> bool:
    bare = name.text.replace(".", "").replace(" ", "")
    return bare.isupper() and 2 <= len(bare) <= 6 and " " not in name.text.strip()


def _is_initials(short: list[str], long: list[str]) -> bool:
    letters = "".join(short)
    return len(letters) > 1 and letters == "".join(word[0] for word in long)[: len(letters)]


def _alike(one: str, two: str) -> bool:
    return one == two or (min(len(one), len(two)) == 1 and one[0] == two[0])


def _short_form(one: str, two: str) -> bool:
    return one[:2] == two[:2] or one[:1] == two[:1] == min(one, two, key=len)[:2]


def _misspelt(one: str, two: str) -> bool:
    """Whether one letter, or two of a long word, make one of the other."""
    shorter = min(len(one), len(two))
    most = 0 if shorter < 6 or one[0] != two[0] else 1 if shorter < 9 else 2
    if abs(len(one) - len(two)) > most:
        return False
    return most > 0 and _changes(one, two) <= most


def _changes(one: str, two: str) -> int:
    """Letters to add, drop or change between two short words."""
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(two, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]
