"""The reading of a short answer: its kind and its value."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from tunixrt_core.traces.answers.reading import groups
from tunixrt_core.traces.answers.reading.amounts import read_amount, read_figures
from tunixrt_core.traces.answers.reading.cleaning import clean, enclosed
from tunixrt_core.traces.answers.reading.moments import read_moment
from tunixrt_core.traces.answers.reading.names import prose, read_words
from tunixrt_core.traces.answers.reading.readings import (
    Choice,
    Equation,
    Expression,
    Items,
    Matrix,
    Negation,
    Order,
    Prose,
    Reading,
    Special,
    Truth,
)
from tunixrt_core.traces.answers.reading.vocabulary import SPECIALS, TRUTHS, words_of

LONGEST = 1_000
"""Longer answers are text: only their words are compared."""
_DEEPEST = 4

_WORD_OF_TRUTH = re.compile(
    r"(yes|yeah|yep|no|nope|true|false|oui|non|ja|nein)\s*[,.;:!–-]\s*(\S.*)", re.IGNORECASE | re.DOTALL
)
_SAID_TRUTH = re.compile(
    r"(?:(?:it|this|that|which|the\s+(?:statement|claim|sentence|hypothesis|proposition|conclusion))(?:'s|\s+is)\s+)"
    r"(true|false)|(true|false)\s+statement",
    re.IGNORECASE,
)
_AGAINST_YES = re.compile(
    r"\b(?:no|not|never|false|but|however|unless|except|if|wrong|incorrect|only|though|or)\b|n't\b", re.I
)
_AGAINST_NO = re.compile(r"\b(?:yes|true|but|however|unless|except|if|actually|correct|though|or|wait)\b", re.I)
_MARKED = re.compile(
    r"(?:(?:option|choice|answer|alternative|letter)\s*)[(\[]?([A-Za-z]|\d{1,2})[)\].:]?|[(\[]?([A-Ja-j])[)\]]|([A-J])[.:]",
    re.IGNORECASE,
)
_WITH_TEXT = re.compile(
    r"(?:(?:option|choice|answer)\s+)?(?:[(\[]([A-Ja-j])[)\]][.:]?|([A-Ja-j])(?:\)[.:]?|[.:](?=\s))|([A-J])\s+[-–](?=\s+[A-Za-z]))"
    r"\s*(\S.*)",
    re.DOTALL | re.IGNORECASE,
)
_ABBREVIATED = re.compile(r"\w\.\s*\w(?:\.|$)")
# what goes on after a letter is a sentence about it, and no text of an option
_JOINED = re.compile(
    r"(?:or|and|not|nor|but|except|is|isn't|was|wasn't|are|aren't|can|can't|cannot|could|would|wouldn't|seems|looks|must|may|might"
    r"|should|has|does|doesn't|&|,|/|\?)(?!\w)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;]\s+|\.\s+|\s+but\s+")
_NOT = re.compile(
    r"""
    (?: (?:it|this|that|there|[a-z]|the\s+(?:\w+\s+){0,2}(?:answer|result|value|solution|option|choice))\s*
        (?:is|was|are|can|could|would|will|does|did)?\s* )?
    (?: (?:is|was|are)?\s*(?:definitely|certainly|clearly|surely|probably)?\s*not(?:\s+exactly)?
      | isn't | wasn't | aren't | is\ never | never | n't
      | cannot\ be | can\ not\ be | can't\ be | couldn't\ be | won't\ be
      | ≠ | != | <> | /=
      | (?:any|every)(?:thing|where|one|body)\s+(?:but|except|other\ than)
      | (?:all|any|every|a)\s+(?:\w+\s+)?(?:but|except|other\ than)
      | other\ than | except(?:\s+for)? )
    \s*(?:be\s+|equal\s+to\s+|equal\s+)?(\S.*)
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_DENIAL = re.compile(
    r"not\b|n't\b|\bnever|\bbut\b|except|than\b|too\b|[≠!<]|/=|wrong|incorrect|false|invalid|mistaken|ruled|excluded|impossible",
    re.I,
)
_WRONG = re.compile(
    r"""
    (.+?)\s*[,(–-]?\s*(?:(?:which|that|but\s+that|but\s+it)\s+)?
    (?: (?:is|was|would\ be|are|seems|looks)\s+(?:definitely\ |clearly\ |certainly\ )?
        (?: not\s+(?:(?:the|my|a|our)\s+)?(?:\w+\s+)?(?:answer|correct|right|true|solution|valid|it|possible)
          | wrong | incorrect | false | invalid | mistaken | ruled\ out | excluded | impossible
          | too\s+(?:low|high|small|large|big|little|much|many|few) )
      | (?:isn't|wasn't|cannot\ be|can't\ be|can\ not\ be)\s+(?:the\s+)?(?:\w+\s+)?(?:answer|correct|right|true)
      | [(,–-]\s*(?:wrong|incorrect) )
    \s*\)?
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OWNER = re.compile(
    r"(?:he|she|they|it|we|you|i)\s+(?:now\s+)?(?:has|have|will have|needs?|earns?|earned|pays?|paid|spends?|spent|sold"
    r"|makes?|made|gets?|got|saves?|saved)\s+(?:a total of\s+)?(?=[$\d])",
    re.IGNORECASE,
)
_EQUATION = re.compile(
    r"([A-Za-z](?:_\{?\w{1,3}\}?|\d|')?|[A-Za-z]\([A-Za-z]\)|[α-ω]|\\[a-z]+|[A-Z][a-z]+)\s*(?::?=|≡)\s*([^=]+)",
    re.DOTALL,
)
_BACKWARDS = re.compile(r"([^=]+?)\s*=\s*([A-Za-z])")
_FUNCTIONS = frozenset(
    words_of(
        "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp sqrt cbrt root abs mod gcd "
        "lcm max min det lim sup inf dim deg arg ker pi tau phi psi theta alpha beta gamma delta epsilon "
        "lambda sigma omega rho eta zeta floor ceil frac sgn re im dx dy dz dt"
    )
)
_SHORT_WORDS = frozenset(words_of("is it no or to of if at so in as an he we us my me be by do go up on not"))
_LETTERS = re.compile(r"(?<!\\)(?<![A-Za-z\\])[A-Za-z]{2,}")
_SIGN = re.compile(r"[\\^_=+*/<>√≤≥∑∫|!]|\d[A-Za-z(]|[A-Za-z)]\d|[a-z]\(|-")
_LOOSE = re.compile(r"[?≈~]|\.\.\.|(?<!\w)±.*±")
_ROOT = re.compile(r"√\s*\(?(\w+)\)?")
_GROUPED = re.compile(r"(?<=[\^_])\{(\w)\}|(?<=\\sqrt)\s*\{(\w)\}")


@lru_cache(maxsize=1024)
def read(text: str) -> Reading:
    """What a text says. Words that are not understood are `Prose`, formulas that are no number `Expression`."""
    if len(text) > LONGEST:
        return prose(text)
    return read_figures(text) or _read(clean(text), 0)


def _read(text: str, depth: int) -> Reading:
    if not text or depth > _DEEPEST or "~~" in text or text.endswith("?"):
        return prose(text)
    if text.isalpha() and text.isascii() and len(text) > 1:
        return _simple(text, depth) or read_moment(text) or read_amount(text) or _formula(text) or read_words(text)
    for reader in (_simple, _choice, _negation):
        if (found := reader(text, depth)) is not None:
            return found
    if (owner := _OWNER.match(text)) is not None and (amount := read_amount(text[owner.end() :])) is not None:
        return amount
    if (found := read_moment(text) or read_amount(text)) is not None:
        return found
    if _LOOSE.search(text):
        return prose(text)
    return _composed(text, depth) or _formula(text) or read_words(text)


def _simple(text: str, depth: int) -> Reading | None:
    folded = " ".join(text.casefold().split())
    if (special := SPECIALS.get(folded)) is not None:
        return Special(special)
    if (len(folded) > 1 or not folded.isascii()) and (truth := TRUTHS.get(folded)) is not None:
        return Truth(truth)
    if (said := _SAID_TRUTH.fullmatch(text)) is not None:
        return Truth(TRUTHS[(said[1] or said[2]).casefold()])
    if (found := _WORD_OF_TRUTH.fullmatch(text)) is None:
        return None
    word = TRUTHS[found[1].casefold()]
    against = _AGAINST_YES if word == "yes" else _AGAINST_NO
    return prose(text) if against.search(found[2]) else Truth(word, explained=True)


def _choice(text: str, depth: int) -> Reading | None:
    if len(text) == 1 and text.isascii() and text.isalpha():
        return Choice(text.casefold(), marked=False)
    if (found := _MARKED.fullmatch(text)) is not None:
        return Choice((found[1] or found[2] or found[3]).casefold())
    found = _WITH_TEXT.fullmatch(text)
    if found is None or _JOINED.match(found[4]) or _ABBREVIATED.match(text):  # initials and abbreviations
        return None
    label = found[1] or found[2] or found[3]
    return Choice(label.casefold(), _read(clean(found[4]), depth + 1))


def _negation(text: str, depth: int) -> Reading | None:
    if not _DENIAL.search(text):
        return None
    for part in dict.fromkeys((text, _CLAUSE.split(text, maxsplit=1)[0])):
        found = _WRONG.fullmatch(part) or _NOT.fullmatch(part)
        denied = _read(clean(found[1]), depth + 1) if found is not None else None
        if denied is not None and not (isinstance(denied, Prose) and _CLAUSE.search(part)):
            return Negation(denied)
    return None


def _composed(text: str, depth: int) -> Reading | None:
    """Several answers, or a name that stands for one."""
    if (rows := groups.matrix_rows(text)) is not None:
        return Matrix(tuple(tuple(_read(clean(cell), depth + 1) for cell in row) for row in rows))
    if (span := groups.read_span(text)) is not None:
        return span
    if (ratio := groups.read_ratio(text)) is not None:
        return ratio
    if (found := _EQUATION.fullmatch(text)) is not None:
        return Equation(found[1].casefold(), _read(found[2].strip(), depth + 1))
    if (found := _BACKWARDS.fullmatch(text)) is not None:
        return Equation(found[2].casefold(), _read(found[1].strip(), depth + 1))
    return _items(text, depth)


def _items(text: str, depth: int) -> Reading | None:
    found = groups.parts_of(text)
    if found is None:
        return _read(text[1:-1].strip(), depth + 1) if enclosed(text) and text[0] in "({" else None
    parts, order = found
    items = tuple(_read(part, depth + 1) for part in parts)
    if any(isinstance(item, Prose) for item in items) and not enclosed(text):
        short = all(len(part.split()) <= 3 for part in parts)
        if not short or order == "list":
            return None
    if items and all(isinstance(item, Items) and item.order == "vector" for item in items) and order == "vector":
        rows = tuple(item.items for item in items if isinstance(item, Items))
        return Matrix(rows) if len({len(row) for row in rows}) == 1 else prose(text)
    names = {item.name for item in items if isinstance(item, Equation)}
    if order == "list" and len(names) == len(items):
        order = "set"
    return Items(items, cast(Order, order), groups.decimal_comma(text))


def _formula(text: str) -> Reading | None:
    words = [word.casefold() for word in _LETTERS.findall(text)]
    if any(word in _SHORT_WORDS or (len(word) > 2 and word not in _FUNCTIONS) for word in words):
        return None
    if not _SIGN.search(text) and not (len(text) <= 3 and text.isascii() and text.islower()):
        return None
    text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1]}}}", text)
    text = _GROUPED.sub(lambda m: m[1] or m[2], text.replace("**", "^"))
    return Expression(re.sub(r"(?<=\d)\s+(?=\d)", " ", re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)))
