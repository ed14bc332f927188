"""Counted nouns: what a number counts where it is no unit of measure."""

from __future__ import annotations

import re

from tunixrt_core.traces.answers.reading.readings import Unit
from tunixrt_core.traces.answers.reading.vocabulary import words_of

_IRREGULAR = frozenset(
    words_of(
        "people men women children feet teeth mice geese sheep fish deer cattle police dice oxen folk data media "
        "homework fruit money furniture water salt sugar paper"
    )
)
# words that end like a plural and count nothing, and words that change what a number says
_NO_NOUNS = frozenset(
    words_of(
        "is was has does less plus minus times perhaps thus yes always sometimes besides as this its his perhaps "
        "maybe fails works remains seems looks appears exceeds overshoots guess means equals gives needs wants makes "
        "comes goes and or to not over are out remainder more fewer than but no nope never wrong incorrect false "
        "short extra squared cubed factorial percent off mod base choose per if unless except instead only about "
        "approximately roughly above below under between against without nor either neither would could should might "
        "may misses loses decimals others too almost nearly exclusive inclusive versus vs doubles halves triples "
        "tries guesses mistakes lies lacks correct right answer digits figures tenths hundredths thousandths thirds "
        "quarters fifths sixths sevenths eighths ninths places powers multiples because since hundreds thousands "
        "millions billions doubt believe think hours' ago past one two three four five six seven eight nine ten later "
        "earlier before after until"
    )
)
# what may follow a unit or a noun: `12 apples left`
TRAILING = re.compile(
    r"\s+(?:left|remaining|altogether|total|in total|in all|overall|each|old|long|tall|high|wide|deep|of age|apiece)$"
)


def plural_noun(text: str) -> Unit | None:
    """A noun in the plural, of up to three words, as in `12 red apples`."""
    folded = TRAILING.sub("", text.casefold().strip(" ."))
    words = folded.split()
    if not words or len(words) > 3 or not all(word.replace("-", "").replace("'", "").isalpha() for word in words):
        return None
    if not _NO_NOUNS.isdisjoint(words) or not all(len(word) > 1 for word in words):
        return None
    last = words[-1]
    if not (last in _IRREGULAR or (len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is")))):
        return None
    return Unit(folded, noun=" ".join([*words[:-1], _singular(last)]))


def singular_noun(text: str) -> Unit | None:
    """A noun after the number one, as in `1 apple`."""
    words = text.casefold().strip(" .").split()
    if not words or len(words) > 2 or not all(word.isalpha() and len(word) > 2 for word in words):
        return None
    sure = _NO_NOUNS.isdisjoint(words) and not any(word.endswith("ly") for word in words)
    return Unit(text, noun=" ".join(words)) if sure else None


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word.removesuffix("s")
