"""The kinds of answers, and the verdict on two of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

Dimensions = tuple[tuple[str, int], ...]


class Verdict(StrEnum):
    """Whether two answers mean the same. `UNKNOWN` where one of them was not understood, or can be read in two ways."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, same: bool) -> Verdict:
        """The verdict of two answers that were understood."""
        return cls.SAME if same else cls.DIFFERENT


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure, or a counted noun.

    A known unit has `dimensions` (powers of base units) and is worth `factor` base units, plus `offset` for
    temperatures; a percent has no dimensions. A noun that is in no table has `noun` and nothing else.
    """

    name: str
    dimensions: Dimensions = ()
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    noun: str = ""

    def base(self, value: Fraction) -> Fraction:
        """A value of this unit in base units."""
        return value * self.factor + self.offset


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit, if it has one.

    `mantissa` is the number in front of a word such as million. `other` is what its separators may mean instead, as
    1000 for `1.000`. `doubtful` marks a unit that may be a variable or another word, as in `5m`.
    """

    value: Fraction
    unit: Unit | None = None
    mantissa: Fraction | None = None
    other: Fraction | None = None
    doubtful: bool = False
    ordinal: bool = False
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes, no, maybe, unknown. `explained` where more was said."""

    word: str
    explained: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time of day: every way in which it can be read, the likeliest first.

    A candidate is (year, month, day, hour, minute, second, weekday), None for what is not said.
    """

    candidates: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The letter or number of an option, and its text if that was written too. `marked` is false for a bare letter."""

    label: str
    text: Reading | None = None
    marked: bool = True


Order = Literal["set", "list", "tuple", "vector", "or"]


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers: `{1, 2}` or `1 and 2` (set), `1, 2` (list), `(1, 2)` (tuple), `[1, 2]` (vector), `1 or 2`."""

    items: tuple[Reading, ...]
    order: Order
    other: Fraction | None = None


Bound = Fraction | None
Piece = tuple[Bound, bool, Bound, bool]


@dataclass(frozen=True, slots=True)
class Span:
    """Intervals: (low, low is included, high, high is included) each, in order; None is infinity.

    `vague` where the words do not say whether the ends are included; `dash` where a minus sign could be meant.
    """

    pieces: tuple[Piece, ...]
    vague: bool = False
    dash: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """`3:4` and longer, as written."""

    parts: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Reading, ...], ...]


@dataclass(frozen=True, slots=True)
class Special:
    """An outcome that is no number: none, no solution, undefined, infinity."""

    word: str


@dataclass(frozen=True, slots=True)
class Equation:
    """`x = 5`: the name before the sign and what is said of it."""

    name: str
    value: Reading


@dataclass(frozen=True, slots=True)
class Negation:
    """`not 7`, `7 is wrong`."""

    of: Reading


@dataclass(frozen=True, slots=True)
class Name:
    """Words that name something. `known` is the class and the sense of a word in the vocabulary; `proper` a name."""

    words: tuple[str, ...]
    text: str
    proper: bool
    known: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula, without its white space."""

    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """Words that were not understood, in lower case and without punctuation."""

    text: str


Reading = (
    Amount
    | Truth
    | Moment
    | Choice
    | Items
    | Span
    | Ratio
    | Matrix
    | Special
    | Equation
    | Negation
    | Name
    | Expression
    | Prose
)
