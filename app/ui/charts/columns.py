"""Metric records as growing columns, shared by sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from tunixrt_core.runs.metrics import EvalMetric, Losses, SamplesMetric, TrainMetric

Row = TrainMetric | EvalMetric | SamplesMetric

MAX_PARTS = 24  # maximum number of parts, and of step types, whose losses are kept
_FIRST_ROOM = 256


class Column:
    """An append-only column of numbers. Views handed out before stay valid: a full column moves to a larger array."""

    def __init__(self, kind: Any, missing: int = 0) -> None:
        """`missing` values come before the first that is known."""
        self._room = np.empty(max(_FIRST_ROOM, 2 * missing), kind)
        if missing:
            self._room[:missing] = math.nan
        self._length = missing

    def extend(self, values: Sequence[float | None]) -> None:
        """None is NaN."""
        length = self._length + len(values)
        if length > len(self._room):
            grown = np.empty(2 * length, self._room.dtype)
            grown[: self._length] = self.numbers
            self._room = grown
        self._room[self._length : length] = np.asarray(values, self._room.dtype)
        self._length = length

    def begin(self, length: int) -> Column:
        """A copy that continues after the first `length` numbers."""
        made = Column(self._room.dtype)
        made._room, made._length = self._room.copy(), length
        return made

    @property
    def numbers(self) -> Any:
        """The whole column, without a copy."""
        return self._room[: self._length]


class Columns:
    """Records of one kind. Missing values are NaN.

    `parts` and `types` hold the losses by part and by step type, the first MAX_PARTS that occur.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._steps = Column(np.int64)
        self._values = {name: Column(np.float64) for name in names}
        self._parts: dict[str, Column] = {}
        self._types: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self._steps.numbers)

    @property
    def steps(self) -> Any:
        return self._steps.numbers

    def values(self, name: str) -> Any:
        count = len(self)
        return self._values[name].numbers[:count]

    @property
    def parts(self) -> list[str]:
        return list(self._parts)

    @property
    def types(self) -> list[str]:
        return list(self._types)

    def add(self, records: Sequence[Row]) -> None:
        """Append records, in order and of later train steps than all before."""
        for name, column in self._values.items():
            column.extend(list(map(attrgetter(name), records)))
        losses = [record for record in records if not isinstance(record, SamplesMetric)]
        self._add_losses(self._parts, [record.parts for record in losses])
        self._add_losses(self._types, [record.types for record in losses])
        # last: readers count the train steps, and every other column has the length by then
        self._steps.extend([record.train_step for record in records])

    def before(self, step: int) -> Columns:
        """A copy of the records before a train step. Readers of the old columns are not affected."""
        length = int(np.searchsorted(self.steps, step))
        made = Columns(())
        made._steps = self._steps.begin(length)
        for group in ("_values", "_parts", "_types"):
            setattr(made, group, {name: column.begin(length) for name, column in getattr(self, group).items()})
        return made

    def _add_losses(self, columns: dict[str, Column], losses: Sequence[Losses]) -> None:
        for name in dict.fromkeys(name for each in losses for name in each):
            if name not in columns and len(columns) < MAX_PARTS:
                columns[name] = Column(np.float64, len(self))
        for name, column in columns.items():
            column.extend([each.get(name) for each in losses])

    def last(self, name: str) -> float | None:
        """The newest value; None if there is none."""
        numbers = self.values(name)
        return None if not len(numbers) or math.isnan(numbers[-1]) else float(numbers[-1])

    def series(self, name: str, first: int = 0, last: int | None = None) -> tuple[Any, Any]:
        """Train steps and values between two train steps; only finite numbers."""
        return self._finite(self._values[name], first, last)

    def table(self, names: Sequence[str], first: int = 0, last: int | None = None) -> tuple[Any, list[Any]]:
        """Train steps and several values at each of them; NaN where there is none."""
        steps, begin, end = self._between(first, last)
        return steps, [self._values[name].numbers[begin:end] for name in names]

    def losses(
        self, names: Sequence[str], *, by_type: bool = False, first: int = 0, last: int | None = None
    ) -> tuple[Any, list[Any]]:
        """Train steps and the losses of several parts, or step types, at each of them; NaN where there is none."""
        columns, (steps, begin, end) = (self._types if by_type else self._parts), self._between(first, last)
        return steps, [columns[name].numbers[begin:end] for name in names]

    def _finite(self, column: Column, first: int, last: int | None) -> tuple[Any, Any]:
        steps, begin, end = self._between(first, last)
        values = column.numbers[begin:end]
        finite = np.isfinite(values)
        return (steps, values) if finite.all() else (steps[finite], values[finite])

    def _between(self, first: int, last: int | None) -> tuple[Any, int, int]:
        steps = self.steps  # read once: records added meanwhile appear at the next call
        begin = int(np.searchsorted(steps, first))
        end = len(steps) if last is None else int(np.searchsorted(steps, last, side="right"))
        return steps[begin:end], begin, end
