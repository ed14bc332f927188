"""Dates and times of day, with every way in which their figures can be read."""

from __future__ import annotations

import re
from datetime import date

from tunixrt_core.traces.answers.reading.readings import Moment, Verdict

Candidate = tuple[int | None, ...]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_DAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon",
            "tuesday tues tue",
            "wednesday wed",
            "thursday thurs thur thu",
            "friday fri",
            "saturday sat",
            "sunday sun",
        )
    )
    for name in names.split()
}
_MONTH = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{3,4})"
_WEEKDAY = re.compile(r"(?P<name>" + "|".join(sorted(_DAYS, key=len, reverse=True)) + r")\b\.?,?\s*", re.IGNORECASE)
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:\s*,?\s+{_YEAR})?",
        rf"(?:the\s+)?{_DAY}\s*(?:of\s+)?[- ]?{_MONTH}(?:[-, ]\s*{_YEAR})?",
        rf"{_MONTH}(?:\s*,?\s+(?:of\s+)?{_YEAR})?",
        rf"{_YEAR}[-, ]\s*{_MONTH}(?:[- ]{_DAY})?",
    )
)
_FIGURES = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})")
_CHINESE = re.compile(r"(\d{3,4})年(?:(\d{1,2})月(?:(\d{1,2})日)?)?")
_ERA = re.compile(
    r"(?:(?P<before>AD|A\.D\.)\s*)?(?P<year>\d{1,4})\s*(?P<era>BCE?|B\.C\.(?:E\.?)?|CE|AD|A\.D|A\.D\.|C\.E\.?|B\.C)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}))?)?\s*(?P<half>[ap]\.?\s?m\b\.?)?", re.IGNORECASE
)
_OCLOCK = re.compile(r"(?P<hour>\d{1,2})\s*o'?clock", re.IGNORECASE)
_NAMED_TIMES = {"noon": (12, 0), "midday": (12, 0), "12 noon": (12, 0), "midnight": (0, 0), "12 midnight": (0, 0)}
# the first three letters of every word that a date or time without figures at its start can hold: most texts have none
_BEGINNINGS = frozenset(name[:3] for name in (*_MONTHS, *_DAYS, *_NAMED_TIMES, "ad", "a.d"))


def read_moment(text: str) -> Moment | None:
    """A date, a month, a weekday, a year with its era, or a time of day. A bare year is none."""
    if len(text) > 60:
        return None
    if text[:1].isdecimal():
        return _figures(text) or _time(text) or _named_date(text) or _era(text)
    folded = text.casefold()
    if not any(word[:3] in _BEGINNINGS for word in folded.split()):
        return None
    if folded in _NAMED_TIMES:
        hour, minute = _NAMED_TIMES[folded]
        return _at(hour, minute, 0)
    if folded[:2] in ("ad", "a."):
        return _era(text)
    if (weekday := _WEEKDAY.match(text)) is not None:
        number, rest = _DAYS[weekday["name"].casefold()], text[weekday.end() :]
        if not rest:
            return Moment(((None, None, None, None, None, None, number),))
        return _figures(rest) or _named_date(rest) if text[: weekday.end()].strip(" ,.") else None
    return _named_date(text)


def same_moment(a: Moment, b: Moment) -> Verdict:
    """Two that say less or more than each other, and figures in an unknown order, are unknown where they can agree."""
    if a.candidates == b.candidates:
        return Verdict.SAME
    agreements = [_agree(one, two) for one in a.candidates for two in b.candidates]
    if not any(agreements):
        return Verdict.DIFFERENT
    alone = len(a.candidates) == len(b.candidates) == 1
    return Verdict.SAME if alone and a.candidates[0] == b.candidates[0] else Verdict.UNKNOWN


def _agree(one: Candidate, two: Candidate) -> bool:
    shared = [(x, y) for x, y in zip(one, two, strict=True) if x is not None and y is not None]
    if not shared:
        return False
    return all(x == y for x, y in shared)


def _named_date(text: str) -> Moment | None:
    for pattern in _NAMED:
        if (found := pattern.fullmatch(text)) is not None:
            parts = found.groupdict()
            year, day = (int(parts[name]) if parts.get(name) else None for name in ("year", "day"))
            return _date(year, _MONTHS[parts["month"].casefold()], day)
    return None


def _date(*written: int | None) -> Moment | None:
    found = _valid(*written)
    return Moment((found,)) if found is not None else None


def _valid(year: int | None, month: int | None, day: int | None) -> Candidate | None:
    try:
        date(year or 2000, month or 1, day or 1)
    except ValueError:
        return None
    return year, month, day, None, None, None, None


def _figures(text: str) -> Moment | None:
    if (chinese := _CHINESE.fullmatch(text)) is not None:
        return _date(*(int(part) if part else None for part in chinese.groups()))
    found = _FIGURES.fullmatch(text)
    if found is None:
        return None
    first, sign, second, third = int(found[1]), found[2], int(found[3]), int(found[4])
    if len(found[1]) == 4:
        orders = [(first, second, third)]
    elif len(found[4]) in (2, 4):
        year = third if len(found[4]) == 4 else third + (2000 if third < 50 else 1900)
        # day first wherever the sign is a dot
        orders = [(year, second, first)] if sign == "." else [(year, first, second), (year, second, first)]
        if len(found[4]) == 2 and sign == ".":
            return None
    else:
        return None
    valid = [one for order in orders if (one := _valid(*order)) is not None]
    return Moment(tuple(dict.fromkeys(valid))) if valid else None


def _era(text: str) -> Moment | None:
    found = _ERA.fullmatch(text)
    if found is None or not (found["era"] or found["before"]):
        return None
    year = int(found["year"])
    before = (found["era"] or "").casefold().startswith("b")
    return Moment(((-year if before else year, None, None, None, None, None, None),))


def _time(text: str) -> Moment | None:
    clock = _OCLOCK.fullmatch(text)
    if clock is not None:
        hour = int(clock["hour"])
        return _either_half(hour, 0, 0) if 1 <= hour <= 12 else None
    clock = _CLOCK.fullmatch(text)
    if clock is None or not (clock["half"] or clock["minute"]):
        return None
    hour, minute, second = int(clock["hour"]), int(clock["minute"] or 0), int(clock["second"] or 0)
    if minute > 59 or second > 59 or hour > 23 or (clock["half"] and not 1 <= hour <= 12):
        return None
    if clock["half"]:
        return _at(hour % 12 + (12 if clock["half"][0] in "pP" else 0), minute, second)
    if "." in text:
        return None
    # a zero in front is written where the clock has 24 hours
    return _at(hour, minute, second) if text[0] == "0" else _either_half(hour, minute, second)


def _either_half(hour: int, minute: int, second: int) -> Moment:
    """A time without am or pm: both, where it can be both."""
    morning = _at(hour % 12, minute, second).candidates
    if 1 <= hour < 12:
        return Moment(morning + _at(hour + 12, minute, second).candidates)
    return _at(hour, minute, second)


def _at(hour: int, minute: int, second: int) -> Moment:
    return Moment(((None, None, None, hour, minute, second, None),))
