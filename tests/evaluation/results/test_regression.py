"""The regression gate fails on what is worse, and says where it cannot tell."""

from __future__ import annotations

import pytest

from tests.evaluation.answers import side, table
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.regression import Outcome, worse


def verdict(both: int, fixed: int, broken: int, neither: int, **settings: float) -> Outcome:
    return worse(compare(*table(both, fixed, broken, neither)), **settings).outcome


def test_the_gate_fails_where_the_second_is_plainly_worse() -> None:
    found = worse(compare(*table(both=80, fixed=1, broken=12, neither=7)))
    assert (found.outcome, found.failed, bool(found)) == (Outcome.WORSE, True, True)
    assert found.p_value == pytest.approx(14 / 2**13)  # 0 or 1 heads in 13 throws
    assert "fell by 0.110" in found.sentence


def test_the_test_is_one_sided_so_five_broken_rows_are_enough() -> None:
    assert verdict(both=90, fixed=0, broken=5, neither=5) is Outcome.WORSE
    assert verdict(both=90, fixed=0, broken=4, neither=6) is Outcome.CANNOT_TELL


def test_alpha_is_the_chance_of_a_false_alarm_that_one_takes() -> None:
    assert verdict(both=90, fixed=0, broken=5, neither=5, alpha=0.01) is Outcome.CANNOT_TELL
    assert verdict(both=90, fixed=0, broken=4, neither=6, alpha=0.1) is Outcome.WORSE


def test_a_fall_within_the_margin_does_not_fail() -> None:
    assert verdict(both=900, fixed=0, broken=10, neither=90, margin=0.005) is Outcome.WORSE
    assert verdict(both=900, fixed=0, broken=10, neither=90, margin=0.01) is Outcome.CANNOT_TELL
    assert verdict(both=900, fixed=0, broken=10, neither=90, margin=0.02) is Outcome.NOT_WORSE


def test_better_is_not_worse() -> None:
    found = worse(compare(*table(both=10, fixed=20, broken=2, neither=8)))
    assert (found.outcome, found.failed) == (Outcome.NOT_WORSE, False)
    assert found.sentence.startswith("Not worse: better by 0.450")


def test_what_cannot_be_told_passes_the_gate_and_names_the_drop_that_is_not_ruled_out() -> None:
    found = worse(compare(*table(both=50, fixed=6, broken=8, neither=36)))
    assert (found.outcome, found.failed) == (Outcome.CANNOT_TELL, False)
    assert found.largest_drop == pytest.approx(0.09, abs=0.02)
    assert f"{found.largest_drop:.3f} is not ruled out" in found.sentence


@pytest.mark.parametrize(("rows", "outcome"), [(20, Outcome.CANNOT_TELL), (1000, Outcome.NOT_WORSE)])
def test_a_few_rows_without_a_flip_do_not_show_that_nothing_fell(rows: int, outcome: Outcome) -> None:
    found = worse(compare(*table(both=rows, fixed=0, broken=0, neither=0)), margin=0.01)
    assert found.outcome is outcome
    assert found.largest_drop == pytest.approx(3 / rows, rel=0.1)  # the rule of three


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_rows_that_could_never_show_it_cannot_tell(margin: float) -> None:
    assert verdict(both=0, fixed=4, broken=0, neither=0, margin=margin) is Outcome.CANNOT_TELL


def test_no_rows_cannot_tell() -> None:
    found = worse(compare([], []))
    assert (found.outcome, found.largest_drop) == (Outcome.CANNOT_TELL, None)


def test_where_less_is_better_more_is_worse() -> None:
    first, second = side([10.0] * 8, scorer="tokens"), side([11.0] * 8, scorer="tokens")
    assert worse(compare(first, second, "tokens", higher_is_better=False)).failed
    assert worse(compare(first, second, "tokens")).outcome is Outcome.NOT_WORSE


def test_many_small_losses_do_not_fail_where_the_mean_rose() -> None:
    first, second = side([0.5] * 12), side([0.4] * 10 + [3.0] * 2)
    found = worse(compare(first, second))
    assert found.p_value < 0.05
    assert not found.failed


def test_an_evaluation_with_itself_never_fails() -> None:
    for right in range(0, 50, 7):
        assert verdict(both=right, fixed=0, broken=0, neither=50 - right) is not Outcome.WORSE


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"alpha": 1.0}, {"margin": -0.1}, {"margin": float("nan")}])
def test_a_gate_that_cannot_be_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidEvaluation, match=next(iter(settings))):
        verdict(1, 1, 1, 1, **settings)
