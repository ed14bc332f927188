"""Comparison of two short answers, with three verdicts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from tunixrt_core.traces.answers.amount_comparison import same_amount
from tunixrt_core.traces.answers.kinds import compare_other_kinds, same_ratio
from tunixrt_core.traces.answers.reading.groups import as_span
from tunixrt_core.traces.answers.reading.moments import same_moment
from tunixrt_core.traces.answers.reading.names import prose, same_words
from tunixrt_core.traces.answers.reading.reader import LONGEST, read
from tunixrt_core.traces.answers.reading.readings import (
    Amount,
    Choice,
    Equation,
    Expression,
    Items,
    Matrix,
    Moment,
    Name,
    Negation,
    Prose,
    Ratio,
    Reading,
    Span,
    Special,
    Truth,
    Verdict,
)

COMPARISON_VERSION = 2
"""Another version means that the same two answers may get another verdict. 1 compared text and plain numbers only."""

_PLAIN = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_SAME, _DIFFERENT, _UNKNOWN = Verdict.SAME, Verdict.DIFFERENT, Verdict.UNKNOWN


def compare(expected: str, given: str) -> Verdict:
    """Whether a given answer means the expected one.

    `DIFFERENT` only where both were understood. Formulas that only algebra can compare are `UNKNOWN` (see
    `formulas.needs_mathematics`).
    """
    if _PLAIN.fullmatch(given) and _PLAIN.fullmatch(expected):
        if Decimal(given) == Decimal(expected):
            return _SAME
        if given[-4:-3] != "." and expected[-4:-3] != ".":  # `1.000` may be a thousand
            return _DIFFERENT
    left, right = " ".join(expected.split()), " ".join(given.split())
    if left == right:
        return _SAME if left else _UNKNOWN
    if left.startswith(("{", "<tool_call>")):
        from tunixrt_core.traces.answers.calls import compare_calls  # few answers are calls

        if (called := compare_calls(expected, given)) is not None:
            return called
    if not left or not right:
        return _UNKNOWN
    if len(left) > LONGEST or len(right) > LONGEST:
        return _SAME if prose(left) == prose(right) else _UNKNOWN
    return same_reading(read(left), read(right))


def same_reading(expected: Reading, given: Reading) -> Verdict:
    """The same for two answers that have been read."""
    if isinstance(expected, Negation) or isinstance(given, Negation):
        return _negated(expected, given)
    if isinstance(expected, Equation) or isinstance(given, Equation):
        return _equations(expected, given)
    if isinstance(expected, Choice) or isinstance(given, Choice):
        return _choices(expected, given)
    if isinstance(expected, Items) or isinstance(given, Items):
        return _items(expected, given)
    if isinstance(expected, (Name, Prose)) and isinstance(given, (Name, Prose)):
        return same_words(expected, given)
    if type(expected) is type(given):
        return _SAME_KIND[type(expected)](expected, given)
    return compare_other_kinds(expected, given)


def _negated(expected: Reading, given: Reading) -> Verdict:
    if isinstance(expected, Negation) and isinstance(given, Negation):
        return _SAME if same_reading(expected.of, given.of) is _SAME else _UNKNOWN
    inner = (expected.of, given) if isinstance(expected, Negation) else (expected, given)
    other = inner[1].of if isinstance(inner[1], Negation) else inner[1]
    return _DIFFERENT if same_reading(inner[0], other) is _SAME else _UNKNOWN


def _equations(expected: Reading, given: Reading) -> Verdict:
    if isinstance(expected, Equation) and isinstance(given, Equation):
        verdict = same_reading(expected.value, given.value)
        return verdict if expected.name == given.name else _UNKNOWN
    if isinstance(expected, Equation):
        return same_reading(expected.value, given)
    assert isinstance(given, Equation)
    return same_reading(expected, given.value)


def _choices(expected: Reading, given: Reading) -> Verdict:
    if isinstance(expected, Choice) and isinstance(given, Choice):
        texts = same_reading(expected.text, given.text) if expected.text and given.text else None
        if expected.label == given.label:
            return _SAME if texts in (None, _SAME) else _UNKNOWN
        return _UNKNOWN if texts is _SAME else _DIFFERENT
    choice, other = (expected, given) if isinstance(expected, Choice) else (given, expected)
    assert isinstance(choice, Choice)
    if choice.text is not None:
        if isinstance(other, Items):
            return _UNKNOWN
        return same_reading(choice.text, other)
    if isinstance(other, Truth):
        letter = {"t": "yes", "y": "yes", "f": "no", "n": "no"}.get(choice.label)
        return _UNKNOWN if letter is None or other.explained else Verdict.of(letter == other.word)
    if isinstance(other, Amount) and choice.label.isdecimal() and other.unit is None:
        return Verdict.of(Fraction(choice.label) == other.value)
    if isinstance(other, Items) and all(isinstance(item, (Choice, Negation)) for item in other.items):
        return _one_of_several(choice, other, expected is other)
    return _UNKNOWN


def _items(expected: Reading, given: Reading) -> Verdict:
    if isinstance(expected, Items) and isinstance(given, Items):
        return _several(expected, given)
    several, other = (expected, given) if isinstance(expected, Items) else (given, expected)
    assert isinstance(several, Items)
    if isinstance(other, Span):
        span = as_span(several)
        return _UNKNOWN if span is None else _spans(span, other)
    if isinstance(other, (Expression, Prose)):
        return _UNKNOWN
    if isinstance(other, Matrix):
        return _UNKNOWN
    if isinstance(other, Special):
        return (
            Verdict.of(not several.items)
            if other.word == "no solution"
            else (_DIFFERENT if several.items else _UNKNOWN)
        )
    return _one_of_several(other, several, several is expected)


def _one_of_several(one: Reading, several: Items, several_expected: bool) -> Verdict:
    if isinstance(one, Amount) and several.other is not None and several.other in (one.value, one.other):
        return _UNKNOWN
    verdicts = [same_reading(one, item) for item in several.items]
    if len(several.items) < 2 or all(verdict is _SAME for verdict in verdicts):
        return verdicts[0] if verdicts else _DIFFERENT
    if _SAME not in verdicts:
        return _UNKNOWN if _UNKNOWN in verdicts else _DIFFERENT
    if several.order == "or":
        return _UNKNOWN if several_expected or _UNKNOWN in verdicts else _DIFFERENT
    # more was said than the answer: wrong in numbers and options, but `Paris, France` is Paris
    sure = isinstance(one, (Amount, Choice)) and all(verdict is not _UNKNOWN for verdict in verdicts)
    return _DIFFERENT if sure else _UNKNOWN


def _several(expected: Items, given: Items) -> Verdict:
    a, b = expected.items, given.items
    if (named := _by_name(a)) is not None and (others := _by_name(b)) is not None and named.keys() == others.keys():
        return _all([same_reading(named[name], others[name]) for name in named])
    orders = {expected.order, given.order}
    one, two = as_span(expected), as_span(given)
    if orders == {"tuple", "vector"}:
        return _UNKNOWN if _in_order(a, b) is _SAME else _DIFFERENT if one is None or two is None else _UNKNOWN
    if "set" in orders or "or" in orders:
        verdict = _in_any_order(a, b)
        loose = orders & {"tuple", "vector"} or orders == {"or", "set"}
        return _UNKNOWN if verdict is _SAME and loose else verdict
    verdict = _in_order(a, b)
    if verdict is _DIFFERENT and orders == {"list"} and _in_any_order(a, b) is _SAME:
        return _UNKNOWN
    return verdict


def _by_name(items: Sequence[Reading]) -> dict[str, Reading] | None:
    """What each of several names stands for; None where not all have one, or two have the same."""
    found = {item.name: item.value for item in items if isinstance(item, Equation)}
    return found if len(found) == len(items) else None


def _in_order(a: Sequence[Reading], b: Sequence[Reading]) -> Verdict:
    if len(a) != len(b):
        return _DIFFERENT if _understood(a) and _understood(b) else _UNKNOWN
    return _all([same_reading(one, two) for one, two in zip(a, b, strict=True)])


def _in_any_order(a: Sequence[Reading], b: Sequence[Reading]) -> Verdict:
    """Every member of one has its like in the other. Members that are the same count once."""
    verdicts = [[same_reading(one, two) for two in b] for one in a]
    rows = verdicts + [list(column) for column in zip(*verdicts, strict=True)]
    if all(_SAME in row for row in rows):
        return _SAME
    if any(row and all(verdict is _DIFFERENT for verdict in row) for row in rows):
        return _DIFFERENT
    if not a or not b:
        return Verdict.of(len(a) == len(b))
    return _UNKNOWN


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    if _DIFFERENT in verdicts:
        return _DIFFERENT
    return _UNKNOWN if _UNKNOWN in verdicts else _SAME


def _understood(items: Sequence[Reading]) -> bool:
    return not any(isinstance(item, (Prose, Expression)) for item in items)


def _spans(a: Span, b: Span) -> Verdict:
    if a.pieces == b.pieces:
        return _SAME if a.vague == b.vague else _UNKNOWN
    if (a.vague or b.vague) and _ends(a) == _ends(b):
        return _UNKNOWN
    return _UNKNOWN if len(a.pieces) != len(b.pieces) and len(a.pieces) > 1 < len(b.pieces) else _DIFFERENT


def _ends(span: Span) -> list[tuple[Fraction | None, Fraction | None]]:
    return [(low, high) for low, _, high, _ in span.pieces]


def _matrices(a: Matrix, b: Matrix) -> Verdict:
    if [len(row) for row in a.rows] != [len(row) for row in b.rows]:
        flat = [[cell for row in matrix.rows for cell in row] for matrix in (a, b)]
        return _UNKNOWN if _in_order(*flat) is _SAME else _DIFFERENT
    return _all([_in_order(one, two) for one, two in zip(a.rows, b.rows, strict=True)])


def _specials(a: Special, b: Special) -> Verdict:
    unlike = {a.word, b.word}
    if len(unlike) == 1:
        return _SAME
    return (
        _DIFFERENT
        if unlike & {"infinity", "minus infinity", "infinitely many"} and len(unlike & _NO_VALUE)
        else _UNKNOWN
    )


_NO_VALUE = frozenset({"no solution", "none", "minus infinity"})


_SAME_KIND: dict[type, Callable[..., Verdict]] = {
    Amount: same_amount,
    Truth: lambda a, b: Verdict.of(a.word == b.word),
    Moment: same_moment,
    Span: _spans,
    Ratio: same_ratio,
    Matrix: _matrices,
    Special: _specials,
    Expression: lambda a, b: _SAME if a.text == b.text else _UNKNOWN,
}
