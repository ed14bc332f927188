"""Comparison of two answers of different kinds, such as a number and a span."""

from __future__ import annotations

from tunixrt_core.traces.answers.reading.readings import (
    Amount,
    Expression,
    Matrix,
    Moment,
    Name,
    Prose,
    Ratio,
    Reading,
    Span,
    Special,
    Truth,
    Verdict,
)

_DIFFERENT, _UNKNOWN = Verdict.DIFFERENT, Verdict.UNKNOWN


def compare_other_kinds(expected: Reading, given: Reading) -> Verdict:
    """Two answers of two kinds: different where neither can be read as the other's kind."""
    pair: dict[type, Reading] = {type(expected): expected, type(given): given}
    if Prose in pair or Expression in pair:
        return _UNKNOWN
    if Amount in pair:
        return _number_and(_taken(pair, Amount), pair)
    if Truth in pair:
        return _truth_and(pair)
    if Name in pair:
        return _DIFFERENT if _is_name(pair[Name]) and Special not in pair else _UNKNOWN
    if Span in pair and Ratio in pair:
        return _ratio_and_span(pair)
    if Moment in pair and Ratio in pair:
        return _UNKNOWN
    if Special in pair:
        return _UNKNOWN if Span in pair else _DIFFERENT
    return _UNKNOWN if Matrix in pair else _DIFFERENT


def _number_and(amount: Reading, pair: dict[type, Reading]) -> Verdict:
    assert isinstance(amount, Amount)
    match next(one for kind, one in pair.items() if kind is not Amount):
        case Truth(word=word, explained=explained):
            return _UNKNOWN if amount.value in (0, 1) or explained or word == "unknown" else _DIFFERENT
        case Moment(candidates=candidates):
            if amount.unit is not None and amount.unit.dimensions == (("time", 1),):
                return _UNKNOWN
            parts = {part for candidate in candidates for part in candidate if part is not None}
            return _UNKNOWN if amount.value in parts or amount.value in {abs(part) for part in parts} else _DIFFERENT
        case Span() as span:
            return _number_and_span(amount, span)
        case Special(word=word):
            return _UNKNOWN if word == "none" and amount.value == 0 else _DIFFERENT
        case Ratio(parts=parts):
            return _UNKNOWN if len(parts) == 2 and parts[1] and parts[0] / parts[1] == amount.value else _DIFFERENT
        case Name() as name:
            return _DIFFERENT if _is_name(name) else _UNKNOWN
        case Matrix(rows=rows):
            return _UNKNOWN if len(rows) == 1 == len(rows[0]) else _DIFFERENT
    return _UNKNOWN


def _number_and_span(amount: Amount, span: Span) -> Verdict:
    low, low_in, high, high_in = span.pieces[0]
    if len(span.pieces) > 1:
        return _DIFFERENT
    if low == high == amount.value or (
        span.dash and low is not None and high is not None and low - high == amount.value
    ):
        return _UNKNOWN
    # the least that `at least 7` allows is 7
    closed = (low_in and high is None and low == amount.value) or (high_in and low is None and high == amount.value)
    return _UNKNOWN if closed else _DIFFERENT


def _truth_and(pair: dict[type, Reading]) -> Verdict:
    truth = _taken(pair, Truth)
    other = next(one for kind, one in pair.items() if kind is not Truth)
    if isinstance(truth, Truth) and truth.explained:
        return _UNKNOWN
    if isinstance(other, Special):
        return _UNKNOWN
    return _DIFFERENT if not isinstance(other, Name) or (other.known and other.known[0] == "name") else _UNKNOWN


def _ratio_and_span(pair: dict[type, Reading]) -> Verdict:
    ratio, span = pair[Ratio], pair[Span]
    assert isinstance(ratio, Ratio)
    assert isinstance(span, Span)
    low, _, high, _ = span.pieces[0]
    if not span.vague or span.dash or len(ratio.parts) != 2 or low is None or high is None:
        return _UNKNOWN
    return same_ratio(ratio, Ratio((low, high)))


def _taken(pair: dict[type, Reading], kind: type) -> Reading:
    return pair[kind]


def _is_name(name: Reading) -> bool:
    return isinstance(name, Name) and name.known is not None and name.known[0] == "name"


def same_ratio(a: Ratio, b: Ratio) -> Verdict:
    if len(a.parts) != len(b.parts) or not all(a.parts) or not all(b.parts):
        return Verdict.of(a.parts == b.parts)
    return Verdict.of(len({one / two for one, two in zip(a.parts, b.parts, strict=True)}) == 1)
