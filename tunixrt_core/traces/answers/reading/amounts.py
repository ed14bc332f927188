"""Numbers with units, fractions, percent, money and magnitudes."""

from __future__ import annotations

import re
from fractions import Fraction

from tunixrt_core.traces.answers.reading.cleaning import clean
from tunixrt_core.traces.answers.reading.nouns import singular_noun
from tunixrt_core.traces.answers.reading.number_words import number_in_words, ordinal_of, scale_of
from tunixrt_core.traces.answers.reading.readings import Amount, Unit
from tunixrt_core.traces.answers.reading.units import PERCENT, read_unit

_LONGEST = 200
_MONEY = r"(?:US\$|A\$|C\$|[$€£¥₹₩₽]|Rs\.?|(?:USD|EUR|GBP|JPY|CNY|INR|CHF)(?=\s*\d))"
_GROUPED = (
    r"(?P<comma>\d{1,3}(?:,\d{3})+(?:\.\d{1,40})?)(?![\d,]*\d)"
    r"|(?P<indian>\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d{1,40})?)(?![\d,]*\d)"
    r"|(?P<space>\d{1,3}(?:[ '_]\d{3})+(?:\.\d{1,40})?)(?![\d]|\s*/\s*\d)"
    r"|(?P<dots>\d{1,3}(?:\.\d{3})+,\d{1,40}|\d{1,3}(?:\.\d{3}){2,})(?![\d.,]*\d)"
    r"|(?P<decimal>\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})"
)
_NUMERAL = re.compile(
    r"(?P<sign>[-+]|(?:minus|negative)\s+)?\s*(?P<money>" + _MONEY + r")?\s*(?P<sign2>[-+])?\s*"
    r"(?:(?:(?P<whole>\d{1,40})(?:\s+|-))?\(?(?P<over>\d{1,40}(?:,\d{3})*)\)?\s*/\s*\(?(?P<under>\d{1,40}(?:,\d{3})*)\)?"
    r"(?![\d.]*\d)|" + _GROUPED + ")",
    re.IGNORECASE,
)
_FIGURES = re.compile(r"([-+]?)([$€£]?)([0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18})(?:\.([0-9]{1,18}))?(%?)")
_POWER = re.compile(
    r"\s*(?:[*x]\s*10\s*\^\s*\{?\(?\s*([-+]?\d{1,2})\s*\)?\}?|e([-+]?\d{1,2}))(?![\d.\w])", re.IGNORECASE
)
_TEN_TO = re.compile(r"([-+]?)10\s*\^\s*\{?\(?([-+]?\d{1,2})\)?\}?(?![\d.])")
_WHOLE_POWER = re.compile(r"(\d{1,4})\s*\^\s*(\d{1,2})")
_OUT_OF = re.compile(r"(\d{1,18})\s+out\s+of\s+(\d{1,18})", re.IGNORECASE)
_REPEATED = re.compile(
    r"([-+]?\d{1,12})\.(\d{0,12}?)(?:(\d{1,6}?)\3{2,}\.{3}|\\overline\s*\{?(\d{1,12})\}?|\((\d{1,12})\))"
)
_BASES = re.compile(r"[-+]?0(?:x[\da-f]{1,16}|b[01]{1,64}|o[0-7]{1,22})", re.IGNORECASE)
_AND_HALF = re.compile(r"\s+and\s+((?:an?|one|two|three)\s+)(half|third|quarter|thirds|quarters)\b", re.IGNORECASE)
_SCALE_WORD = re.compile(
    r"\s*(hundreds?|thousands?|millions?|billions?|trillions?|lakhs?|crores?|dozens?|mn|mln|bn|tn|[kKmMbB])(?![\w^])"
)
_SHORT_SCALES = {"k": 10**3, "mn": 10**6, "mln": 10**6, "m": 10**6, "bn": 10**9, "b": 10**9, "tn": 10**12}
_ORDINAL = re.compile(r"(\d{1,18})(?:st|nd|rd|th)", re.IGNORECASE)
_ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10}
_PAIR = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*([A-Za-z$€£¢°'\"]+\.?)\s*(?:,?\s*and\s+|,\s*)?")
_MARKS = {"'": "ft", '"': "in"}
_ARTICLE = re.compile(r"(?:an?|one)\s+", re.IGNORECASE)
_SPOKEN = re.compile(r"(?:[a-z]+[ -]){0,12}[a-z]+", re.IGNORECASE)


def read_number(text: str) -> Amount | None:
    """The number that a whole text is, or None: `1 1/2 cups`, `$1,000.50`, `75%`, `\\frac{3}{4}`, `-2e3`, `twelve`.

    At most 40 digits and an exponent of two, so that no text makes a number that fills the memory.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 40:
        return Amount(Fraction(int(text)), decimals=0)
    return read_amount(clean(text)) if len(text) <= _LONGEST else None


def read_figures(text: str) -> Amount | None:
    """The same for the most common texts at once: figures with separators, a sign of money, a percent sign."""
    found = _FIGURES.fullmatch(text)
    if found is None:
        return None
    sign, money, whole, decimals, percent = found.groups()
    digits = whole.replace(",", "")
    value = Fraction(int(digits + decimals), 10 ** len(decimals)) if decimals else Fraction(int(digits))
    other = None
    if len(digits) <= 6 and whole[0] != "0":
        if len(digits) < len(whole):
            other = Fraction(whole.replace(",", ".")) if not decimals else None
        elif decimals and len(decimals) == 3 and len(digits) <= 3:
            other = Fraction(int(digits + decimals))
    unit = PERCENT if percent else read_unit(money) if money else None
    return Amount(-value if sign == "-" else value, unit, other=other, decimals=len(decimals or ""))


def read_amount(text: str) -> Amount | None:
    """The same for a text that is clean."""
    if not text or len(text) > _LONGEST:
        return None
    if (figures := read_figures(text)) is not None:
        return figures
    first = text[:1]
    if (
        first.isdecimal()
        or first in "+-.$€£¥₹₩₽("
        or text[:2] in ("US", "Rs", "EU", "GB", "us", "A$", "C$", "IN", "JP", "CN", "CH")
    ):
        return _special(text) or _compound(text) or _written(text)
    if first.isalpha():
        return _in_words(text)
    return None


def _special(text: str) -> Amount | None:
    """Powers of ten, repeating decimals, other bases, ordinals."""
    if found := _TEN_TO.fullmatch(text):
        return Amount(Fraction(10) ** int(found[2]) * (-1 if found[1] == "-" else 1))
    if found := _ORDINAL.fullmatch(text):
        return Amount(Fraction(int(found[1])), ordinal=True)
    if found := _WHOLE_POWER.fullmatch(text):
        return Amount(Fraction(int(found[1]) ** int(found[2])))
    if (found := _OUT_OF.fullmatch(text)) and int(found[2]):
        return Amount(Fraction(int(found[1]), int(found[2])), mantissa=Fraction(int(found[1])))
    if found := _BASES.fullmatch(text):
        return Amount(Fraction(int(text, 0)))
    if found := _REPEATED.fullmatch(text):
        return _repeating(found)
    return None


def _repeating(found: re.Match[str]) -> Amount:
    fixed, again = found[2] or "", found[3] or found[4] or found[5]
    value = abs(int(found[1])) + Fraction(int(fixed or 0), 10 ** len(fixed))
    value += Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(fixed))
    return Amount(-value if found[1].startswith("-") else value)


def _written(text: str) -> Amount | None:
    if text.startswith("(") and text.endswith(")"):
        return read_amount(text[1:-1].strip()) if text[1:2].isdecimal() else None
    found = _NUMERAL.match(text)
    value = _value(found) if found is not None else None
    if found is None or value is None:
        return None
    rest = text[found.end() :]
    if power := _POWER.match(rest):
        value, rest = value * Fraction(10) ** int(power[1] or power[2]), rest[power.end() :]
    elif half := _AND_HALF.match(rest):
        part = number_in_words(half[1] + half[2])
        value, rest = value + (part[0] if part else 0), rest[half.end() :]
    negative = ((found["sign"] or "").strip().casefold() in ("-", "minus", "negative")) != (found["sign2"] == "-")
    return _finished(-value if negative else value, rest, found)


def _finished(value: Fraction, rest: str, found: re.Match[str]) -> Amount | None:
    money = _money(found["money"])
    decimals = len(found["decimal"].partition(".")[2]) if found["decimal"] else None
    other = _other_separators(found)
    if money is not None and other is None and re.match(r",\d{2}(?!\d)", rest):  # `€1,50`
        value, rest = value + (1 if value >= 0 else -1) * Fraction(int(rest[1:3]), 100), rest[3:]
    if found["decimal"] and (comma := re.fullmatch(r",(\d{2})(\s*[€£])", rest)):
        value, rest = value + Fraction(int(comma[1]), 100), comma[2]
    return _with_rest(value, rest, money, decimals=decimals, other=other, slashed=bool(found["over"]))


def _with_rest(
    value: Fraction,
    rest: str,
    money: Unit | None,
    *,
    decimals: int | None,
    other: Fraction | None = None,
    slashed: bool = False,
) -> Amount | None:
    """The amount whose number is read: magnitude and unit are in the rest."""
    mantissa = None
    if scaled := _scaled(rest, money):
        times, rest = scaled
        mantissa, value, decimals = value, value * times, None
    if not rest.strip():
        return Amount(value, money, mantissa, other, decimals=decimals)
    unit = _unit(value, rest, money)
    if unit is None:
        return None
    close = not rest[:1].isspace() and len(rest) == 1 and rest.isalpha()
    if slashed and close:
        return None  # 1/2x
    return Amount(value, unit, mantissa, other, doubtful=close, decimals=decimals)


def _scaled(rest: str, money: Unit | None) -> tuple[int, str] | None:
    found = _SCALE_WORD.match(rest)
    if found is None:
        return None
    word, spaced = found[1], rest[:1].isspace()
    times = scale_of(word) or _SHORT_SCALES.get(word.casefold())
    # `5 m` and `5m` are metres, `5 B` bytes and `300 K` kelvin, but for money
    if len(word) == 1 and money is None and (word == "m" or (spaced and word in "KMBb")):
        return None
    if len(word) == 1 and word == "b" and money is None:
        return None
    return (times, rest[found.end() :]) if times else None


def _unit(value: Fraction, rest: str, money: Unit | None) -> Unit | None:
    rest = rest.strip()
    rest = rest[3:] if rest.casefold().startswith("of ") else rest
    if money is None:
        hyphen = rest[1:] if rest.startswith("-") and rest[1:2].isalpha() else rest
        return read_unit(hyphen) or (singular_noun(rest) if abs(value) <= 1 else None)
    if rest.casefold() in ("usd", "dollars", "us dollars", "eur", "euros", "gbp", "pounds"):
        return money if read_unit(rest) and read_unit(rest).dimensions == money.dimensions else None  # type: ignore[union-attr]
    if rest[:1] == "/" or rest.casefold().startswith(("per ", "an ", "a ", "each")):
        whole = read_unit(f"{money.name} {rest}" if rest[:1] != "/" else money.name + rest)
        return money if rest.casefold() == "each" else whole
    return money if rest.casefold() in ("total", "in total", "left", "altogether", "in all") else None


def _money(sign: str | None) -> Unit | None:
    if not sign:
        return None
    if sign.casefold() in ("a$", "c$"):
        return Unit(sign, ((f"money {sign.upper()}", 1),))
    return read_unit({"us$": "$", "rs.": "rs"}.get(sign.casefold(), sign))


def _value(found: re.Match[str]) -> Fraction | None:
    if found["under"]:
        over, under = (int(found[name].replace(",", "")) for name in ("over", "under"))
        return None if under == 0 else int(found["whole"] or 0) + Fraction(over, under)
    if found["dots"]:
        return Fraction(found["dots"].replace(".", "").replace(",", "."))
    digits = found["comma"] or found["indian"] or found["space"] or found["decimal"]
    return Fraction(re.sub("[ ,'_]", "", digits).rstrip("."))


def _other_separators(found: re.Match[str]) -> Fraction | None:
    decimal = found["decimal"] or ""
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", decimal):
        return Fraction(decimal.replace(".", ""))
    if found["comma"] and re.fullmatch(r"[1-9]\d{0,2},\d{3}", found["comma"]):
        return Fraction(found["comma"].replace(",", "."))
    return None


def _compound(text: str) -> Amount | None:
    """`1 hour 30 minutes`, `5'3"`, `2 dollars and 50 cents`: each part smaller than the one before."""
    if text[-1:].isdecimal():
        return None
    pairs = list(_PAIR.finditer(text))
    if len(pairs) < 2 or "".join(pair[0] for pair in pairs) != text:
        return None
    total, before = Fraction(0), None
    for pair in pairs:
        unit = read_unit(_MARKS.get(pair[2], pair[2]))
        if (
            unit is None
            or not unit.dimensions
            or (before and (before.dimensions, True) != (unit.dimensions, before.factor > unit.factor))
        ):
            return None
        total, before = total + unit.base(Fraction(pair[1].replace(",", ""))), unit
    assert before is not None
    return Amount(total / before.factor, before) if before.factor else None


def _in_words(text: str) -> Amount | None:
    if _ROMAN.fullmatch(text):
        return Amount(_roman(text))
    if text.casefold().startswith(("minus ", "negative ")) and text[-1:].isdecimal():
        return _written(text)
    if not _SPOKEN.fullmatch(text.replace(",", "").rstrip("%")):
        return None
    if (place := ordinal_of(text)) is not None:
        return Amount(Fraction(place), ordinal=True)
    if (
        (one := _ARTICLE.match(text)) is not None
        and (unit := read_unit(text[one.end() :])) is not None
        and unit.dimensions
    ):
        return Amount(Fraction(1), unit)
    spoken = number_in_words(text.replace(",", ""))
    if spoken is None:
        return None
    value, rest = spoken
    if (place := ordinal_of(rest)) is not None or value is None:
        return None
    return _with_rest(value, f" {rest}" if rest else "", None, decimals=None)


def _roman(text: str) -> Fraction:
    values = [_ROMAN_DIGITS[letter] for letter in text]
    return Fraction(sum(-v if v < max(values[i:]) else v for i, v in enumerate(values)))
