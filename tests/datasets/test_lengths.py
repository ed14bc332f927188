"""Lengths of rows: every row is in a bar, one giant row does not flatten the others, and an estimate says it is one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.makers import trace
from tunixrt_core.datasets.lengths import ESTIMATE, estimate_many, measure
from tunixrt_core.traces.rows import Split


def rows(sizes: list[int]) -> list[tuple[object, Split]]:
    return [(trace(n, steps=("x" * size,)), "eval" if n % 4 == 0 else "train") for n, size in enumerate(sizes)]


@given(st.lists(st.integers(1, 20_000), max_size=60))
def test_every_row_is_counted_once(sizes: list[int]) -> None:
    found = measure(rows(sizes), estimate_many, ESTIMATE)  # type: ignore[arg-type]
    assert sum(found.train.bars) + sum(found.eval.bars) == len(sizes)
    assert found.train.rows + found.eval.rows == len(sizes)
    assert len(found.train.bars) == len(found.eval.bars) <= 40


def test_one_giant_row_stands_in_the_last_bar() -> None:
    found = measure(rows([400] * 399 + [400_000]), estimate_many, ESTIMATE)  # type: ignore[arg-type]
    assert found.width < 10
    assert found.train.longest > 100_000
    assert found.train.median < 130


def test_a_tokenizer_of_ones_own_counts() -> None:
    found = measure(rows([3, 5]), lambda texts: [7 for _ in texts], "sevens")  # type: ignore[arg-type]
    assert (found.tokens, found.counted_by, found.train.median) == (14, "sevens", 7)
