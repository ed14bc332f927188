"""Units of measure, in base units."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache

from tunixrt_core.traces.answers.reading.nouns import TRAILING, plural_noun
from tunixrt_core.traces.answers.reading.readings import Dimensions, Unit

PERCENT = Unit("%", (), Fraction(1, 100))

# base unit, power: names and symbols of units with what one of them is worth
_LISTS: tuple[tuple[str, str], ...] = (
    (
        "length 1",
        "in inch inches=0.0254 ft foot feet=0.3048 yd yard=0.9144 mi mile=1609.344 angstrom Å=1e-10 nmi=1852 "
        "lightyear ly=9460730472580800 furlong=201.168",
    ),
    (
        "mass 1",
        "lb lbs pound=0.45359237 oz ounce=0.028349523125 t ton tonne=1000 stone=6.35029318",
    ),
    (
        "time 1",
        "s sec secs second=1 min mins minute=60 h hr hrs hour=3600 d day=86400 wk week=604800 fortnight=1209600 mo "
        "month=2629746 yr yrs y year=31556952 decade=315569520 century centuries=3155695200",
    ),
    ("money USD 1", "$ usd us$ dollar buck cent_=1 ¢ cent penny_us=0.01"),
    ("money EUR 1", "€ eur euro=1"),
    ("money GBP 1", "£ gbp quid=1 pence=0.01"),
    ("money JPY 1", "¥ jpy yen=1"),
    ("money CNY 1", "cny rmb yuan=1"),
    ("money INR 1", "₹ inr rs rupee=1 paise paisa=0.01"),
    ("money CHF 1", "chf=1"),
    ("money KRW 1", "₩ krw won=1"),
    ("money RUB 1", "₽ rub ruble rouble=1"),
    ("angle 1", "° degree deg=1 rad radian=0 rev=360"),
    ("information 1", "bit b=1 byte B=8"),
    ("amount 1", "mol mole=1"),
    ("current 1", "amp=1"),
    ("count 1", "unit_=1"),
    ("length 2", "acre=4046.8564224 hectare ha=10000"),
    (
        "length 3",
        "gal gallon=0.003785411784 qt quart=0.000946352946 pt pint=0.000473176473 cup=0.0002365882365 tbsp "
        "tablespoon=0.00001478676478125 tsp teaspoon=0.00000492892159375 cc=0.000001",
    ),
)
# symbol, name, dimensions, worth, prefixes that are in use
_METRIC: tuple[tuple[str, str, str, str, str], ...] = (
    ("m", "metre meter", "length 1", "1", "k c m d μ n"),
    ("g", "gram gramme", "mass 1", "0.001", "k m μ n"),
    ("l L", "litre liter", "length 3", "0.001", "m c d μ"),
    ("s", "second", "time 1", "1", "m μ n"),
    ("W", "watt", "mass 1 length 2 time -3", "1", "k M G m"),
    ("J", "joule", "mass 1 length 2 time -2", "1", "k M G m"),
    ("N", "newton", "mass 1 length 1 time -2", "1", "k M m"),
    ("Pa", "pascal", "mass 1 length -1 time -2", "1", "k M G h"),
    ("Hz", "hertz", "time -1", "1", "k M G"),
    ("A", "ampere", "current 1", "1", "m k μ"),
    ("V", "volt", "mass 1 length 2 time -3 current -1", "1", "k m M"),
    ("Ω", "ohm", "mass 1 length 2 time -3 current -2", "1", "k M"),
    ("C", "coulomb", "current 1 time 1", "1", "m μ"),
    ("F", "farad", "mass -1 length -2 time 4 current 2", "1", "m μ n p"),
    ("B", "byte", "information 1", "8", "k M G T"),
    ("b", "bit", "information 1", "1", "k M G"),
    ("bit", "", "information 1", "1", "k M G"),
    ("cal", "calorie", "mass 1 length 2 time -2", "4.184", "k"),
    ("Wh", "watthour", "mass 1 length 2 time -2", "3600", "k M"),
    ("eV", "electronvolt", "mass 1 length 2 time -2", "1.602176634e-19", "k M G"),
    ("mol", "mole", "amount 1", "1", "m"),
)
_PREFIXES = {
    "k": ("kilo", "1e3"),
    "M": ("mega", "1e6"),
    "G": ("giga", "1e9"),
    "T": ("tera", "1e12"),
    "h": ("hecto", "1e2"),
    "d": ("deci", "1e-1"),
    "c": ("centi", "1e-2"),
    "m": ("milli", "1e-3"),
    "μ": ("micro", "1e-6"),
    "n": ("nano", "1e-9"),
    "p": ("pico", "1e-12"),
}
_KELVIN = {
    **dict.fromkeys(
        ("°c", "degc", "degree celsius", "degree c", "celsius", "degree centigrade"), (Fraction(1), "273.15")
    ),
    **dict.fromkeys(("°f", "degf", "degree fahrenheit", "degree f", "fahrenheit"), (Fraction(5, 9), "255.372")),
    **dict.fromkeys(("kelvin", "degree kelvin"), (Fraction(1), "0")),
}
_PHRASES = {
    "mph": "mi/h",
    "kph": "km/h",
    "kmph": "km/h",
    "kmh": "km/h",
    "kwh": "kWh",
    "mps": "m/s",
    "kbps": "kb/s",
    "mbps": "Mb/s",
    "gbps": "Gb/s",
    "rpm": "rev/min",
    "sqft": "ft^2",
    "sqm": "m^2",
    "nautical mile": "nmi",
    "light year": "ly",
    "light-year": "ly",
    "us dollar": "usd",
    "american dollar": "usd",
    "pound sterling": "gbp",
    "british pound": "gbp",
    "indian rupee": "inr",
    "kilowatt hour": "kWh",
    "kilowatt-hour": "kWh",
    "metric ton": "t",
    "fluid ounce": "floz",
}
_POWER = re.compile(r"(.+?)\^?([-+]?[2-9]|-1)")
_JOINED = re.compile(r"\s*[*.]\s*|\s+")
_OF = re.compile(r"([a-z]+) of (?!the\b|them\b|it\b|us\b|a\b)[a-z]{3,}(?: [a-z]{3,})?", re.IGNORECASE)


def read_unit(text: str) -> Unit | None:
    """The unit that a whole text is: known, or a noun in the plural. None for anything else."""
    text = " ".join(text.split())
    if not text:
        return None
    unit = _known_phrase(text) or plural_noun(text)
    if unit is None and (found := _OF.fullmatch(text)) is not None:  # `cups of feed`
        unit = _known_phrase(found[1]) or plural_noun(found[1])
    return unit


@lru_cache(maxsize=2048)
def _known_phrase(text: str) -> Unit | None:
    folded = text.casefold().strip(" .")
    if folded in ("%", "percent", "per cent", "percentage", "pct", "percentage point", "percentage points"):
        return PERCENT
    temperature = _KELVIN.get(folded.replace("degrees", "degree").replace("° ", "°"))
    if temperature is not None:
        return _temperature(*temperature, folded)
    without = TRAILING.sub("", folded)
    if without != folded:
        return _known_phrase(text[: len(without)])
    return _product(text.strip(" .") if text not in ("in.", "ft.") else text)


def _temperature(factor: Fraction, offset: str, name: str) -> Unit:
    # 0 °F is 255.372 222... K, which no decimal writes
    exact = Fraction("273.15") - Fraction(32 * 5, 9) if factor != 1 else Fraction(offset)
    return Unit(name, (("temperature", 1),), factor, exact)


def _product(text: str) -> Unit | None:
    """`km/h`, `kg m^2 / s^2`, `dollars per hour`, `square feet`."""
    over, *under = re.split(r"\s*/\s*|\s+(?:per|an?)\s+(?=\S)", text)
    powers: Counter[str] = Counter()
    factor = Fraction(1)
    for side, sign in ((over, 1), *((part, -1) for part in under)):
        found = _factors(side.strip("() "))
        if found is None:
            return None
        for unit, power in found:
            factor *= unit.factor ** (sign * power)
            for name, exponent in unit.dimensions:
                powers[name] += sign * power * exponent
    return Unit(text, tuple(sorted((name, power) for name, power in powers.items() if power)), factor)


def _factors(text: str) -> list[tuple[Unit, int]] | None:
    if (one := _single(text)) is not None:
        return [(one, 1)]
    found: list[tuple[Unit, int]] = []
    power = 0
    for word in _JOINED.split(text):
        if word.casefold() in ("square", "sq", "cubic", "cu", "sq.", "cu."):
            power = 2 if word[0] in "sS" else 3
            continue
        if word.casefold() in ("squared", "cubed") and found:
            found[-1] = (found[-1][0], 2 if word[0] in "sS" else 3)
            continue
        unit = _raised(word)
        if unit is None or (power and unit[1] != 1):
            return None
        found.append((unit[0], power or unit[1]))
        power = 0
    return found if found and not power else None


def _raised(word: str) -> tuple[Unit, int] | None:
    if (one := _single(word)) is not None:
        return one, 1
    match = _POWER.fullmatch(word)
    unit = _single(match[1]) if match else None
    return (unit, int(match[2])) if match and unit is not None else None


def _single(word: str) -> Unit | None:
    word = word.rstrip(".") if len(word) > 1 else word
    if (found := _EXACT.get(word)) is not None:
        return found
    folded = word.casefold()
    if len(word) == 1 or folded in ("mg", "ms"):  # `Mg` and `G` are no milligrams and grams
        return None
    phrase = _PHRASES.get(folded) or _PHRASES.get(folded.removesuffix("s"))
    if phrase is not None:
        return _product(phrase)
    for name in (folded, folded.removesuffix("s"), folded.removesuffix("es")):
        # a symbol of one letter has no plural: `ms` is no two metres
        if (found := _FOLDED.get(name)) is not None and (name == folded or len(name) > 2):
            return found
    return None


def _powers(text: str) -> Dimensions:
    words = text.split()
    if words[0] == "money":
        return (("money " + words[1], 1),)
    return tuple(sorted((words[i], int(words[i + 1])) for i in range(0, len(words), 2)))


def _tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    """Units by their exact symbol, and by the symbol or name in lower case where that is one unit only."""
    exact: dict[str, Unit] = {}
    names: dict[str, set[Unit]] = {}
    for dimensions, listed in _LISTS:
        waiting: list[str] = []
        for part in listed.split():
            name, _, worth = part.partition("=")
            waiting.append(name)
            if worth:
                _add(exact, names, waiting, Unit(waiting[0], _powers(dimensions), Fraction(worth)))
                waiting = []
    for symbols, called, dimensions, worth, prefixes in _METRIC:
        for prefix in ("", *prefixes.split()):
            long, times = _PREFIXES[prefix] if prefix else ("", "1")
            written = [prefix + symbol for symbol in symbols.split()] + [long + name for name in called.split()]
            _add(exact, names, written, Unit(written[0], _powers(dimensions), Fraction(worth) * Fraction(times)))
    exact["K"] = _temperature(Fraction(1), "0", "K")
    return exact, {name: next(iter(units)) for name, units in names.items() if len(units) == 1}


def _add(exact: dict[str, Unit], names: dict[str, set[Unit]], written: list[str], unit: Unit) -> None:
    for name in written:
        exact.setdefault(name, unit)
        names.setdefault(name.casefold(), set()).add(unit)


_EXACT, _FOLDED = _tables()
