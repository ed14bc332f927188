"""Answers that only a computer algebra system can compare."""

from __future__ import annotations

from tunixrt_core.traces.answers.reading.reader import read
from tunixrt_core.traces.answers.reading.readings import (
    Amount,
    Choice,
    Equation,
    Expression,
    Items,
    Matrix,
    Ratio,
    Reading,
    Span,
    Special,
)


def needs_mathematics(expected: str, given: str) -> bool:
    """Whether two answers whose verdict is unknown are formulas, which a computer algebra system may compare."""
    readings = [read(text) for text in (expected, given)]
    return all(_is_formula(one) for one in readings) and any(_has_expression(one) for one in readings)


def _is_formula(reading: Reading) -> bool:
    match reading:
        case Amount() | Expression() | Ratio() | Span() | Special():
            return True
        case Choice(text=None, marked=False):
            return True
        case Equation(value=value):
            return _is_formula(value)
        case Items(items=items):
            return all(map(_is_formula, items))
        case Matrix(rows=rows):
            return all(_is_formula(cell) for row in rows for cell in row)
    return False


def _has_expression(reading: Reading) -> bool:
    match reading:
        case Expression():
            return True
        case Equation(value=value):
            return _has_expression(value)
        case Items(items=items):
            return any(map(_has_expression, items))
        case Matrix(rows=rows):
            return any(_has_expression(cell) for row in rows for cell in row)
    return False
