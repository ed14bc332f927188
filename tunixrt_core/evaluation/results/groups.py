"""Comparison by the grouping columns of an eval set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from tunixrt_core.evaluation.results.figures import Figures, measure
from tunixrt_core.evaluation.results.row_scores import RowPair
from tunixrt_core.evaluation.results.statistics import holm

MOST_VALUES = 100  # a column with more values than this identifies rows instead of grouping them


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Figures):
    """The rows with one value of one column; `value` is None for those without any.

    `p_holm` is `p_value` adjusted (Holm) for the tests of every value of every column.
    """

    column: str
    value: str | None
    p_holm: float


def columns_of(pairs: Sequence[RowPair]) -> tuple[list[str], list[str]]:
    """The columns that group the rows, and those with too many values; both sorted by name."""
    names = sorted({name for pair in pairs for name in pair.groups})
    many = [name for name in names if len({pair.groups.get(name) for pair in pairs}) > MOST_VALUES]
    return [name for name in names if name not in many], many


def break_down(pairs: Sequence[RowPair], columns: Sequence[str], higher_is_better: bool) -> tuple[Group, ...]:
    """The figures of every value of every column: columns as given, values sorted, numbers by size, None last."""
    found: dict[tuple[str, str | None], Figures] = {}
    for column in columns:
        parts: dict[str | None, list[RowPair]] = {}
        for pair in pairs:
            parts.setdefault(pair.groups.get(column), []).append(pair)
        for value in sorted(parts, key=_order):
            found[column, value] = measure(parts[value], higher_is_better)
    adjusted = holm({key: figures.p_value for key, figures in found.items()})
    return tuple(_group(figures, *key, adjusted[key]) for key, figures in found.items())


def _group(figures: Figures, column: str, value: str | None, p_holm: float) -> Group:
    same = {field.name: getattr(figures, field.name) for field in fields(Figures)}
    return Group(column=column, value=value, p_holm=p_holm, **same)


def _order(value: str | None) -> tuple[int, float, str]:
    if value is None:
        return 2, 0.0, ""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
