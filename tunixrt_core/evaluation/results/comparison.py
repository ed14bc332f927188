"""Comparison of two evaluations, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.figures import Figures, measure
from tunixrt_core.evaluation.results.format_gain import FormatGain, format_gain
from tunixrt_core.evaluation.results.groups import MOST_VALUES, Group, break_down, columns_of
from tunixrt_core.evaluation.results.own_gain import OwnGain, own_gain
from tunixrt_core.evaluation.results.row_scores import Pairs, RowScore, pair_rows, row_scores
from tunixrt_core.evaluation.results.statistics import fewest_flips

OF_INTEREST = 0.05  # an interval narrower than this around 0 is conclusive: 5 points


@dataclass(frozen=True, slots=True)
class Flip:
    """A row whose score is not the same on both sides; a mean where a row has several answers."""

    id: str
    row: int
    first: float
    second: float
    better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Figures):
    """Two evaluations on the rows that both have answered, by one scorer, with the rows left out and warnings.

    `only_first` and `only_second` count rows that the other side has not answered, `changed` those with the same id but
    another prompt or reference there, `not_told` those without a score on one side.
    """

    scorer: str
    only_first: int
    only_second: int
    changed: int
    not_told: int
    groups: tuple[Group, ...]
    flipped: tuple[Flip, ...]  # in the order of the eval set
    warnings: tuple[str, ...]  # sentences
    format_gain: FormatGain | None = None  # the same rows by right answers in any form and in format
    own_gain: OwnGain | None = None  # the second against the base with its own prompt


def compare(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    scorer: str = "exact_match",
    *,
    own: Sequence[Prediction] = (),
    higher_is_better: bool = True,
    of_interest: float = OF_INTEREST,
) -> Comparison:
    """Paired comparison by one scorer over the rows that both have answered, matched by row id.

    A row with several answers counts once, with their mean score. `of_interest` is in units of the score: where the
    interval of the difference contains 0 and is wider, a warning says how many rows are needed. `own` are the answers
    of the first, a base model, to its own prompt. Raises InvalidEvaluation where a side has no scores of that name.
    """
    pairs = pair_rows(row_scores(first, scorer), row_scores(second, scorer))
    figures = measure(pairs.rows, higher_is_better)
    columns, too_many = columns_of(pairs.rows)
    return Comparison(
        **{field.name: getattr(figures, field.name) for field in fields(Figures)},
        scorer=scorer,
        only_first=pairs.only_first,
        only_second=pairs.only_second,
        changed=pairs.changed,
        not_told=pairs.not_told,
        groups=break_down(pairs.rows, columns, higher_is_better),
        flipped=tuple(
            Flip(p.id, p.row, p.first, p.second, (p.second > p.first) is higher_is_better)
            for p in pairs.rows
            if p.first != p.second
        ),
        format_gain=format_gain(first, second),
        own_gain=own_gain(first, second, own),
        warnings=(*_left_out(pairs), *_too_small(figures, of_interest), *_ungrouped(too_many)),
    )


def flipped(
    first: Sequence[Prediction], second: Sequence[Prediction], scorer: str = "exact_match"
) -> Iterator[tuple[Prediction, Prediction]]:
    """Two answers to each row whose score is not the same on both sides, in the order of the first's eval set.

    Of several answers it is the first pair whose scores differ. Raises InvalidEvaluation as compare does.
    """
    ours, theirs = row_scores(first, scorer), row_scores(second, scorer)
    for pair in pair_rows(ours, theirs).rows:
        if pair.first != pair.second:
            yield _telling(ours[pair.id], theirs[pair.id], scorer)


def _telling(ours: RowScore, theirs: RowScore, scorer: str) -> tuple[Prediction, Prediction]:
    both = [(a, b) for a in ours.answers for b in theirs.answers if a.scores.get(scorer) != b.scores.get(scorer)]
    return min(both, key=lambda pair: (pair[0].sample != pair[1].sample, pair[0].sample))


def _left_out(pairs: Pairs) -> Iterator[str]:
    if not pairs.rows:
        yield "No row can be compared."
    for n, why in (
        (pairs.only_first, "answered by the first only"),
        (pairs.only_second, "answered by the second only"),
        (pairs.changed, "asked with another prompt or reference under the same id"),
        (pairs.not_told, "without a score on one side or both"),
    ):
        if n:
            yield f"Left out: {_rows(n)} {why}."


def _too_small(figures: Figures, of_interest: float) -> Iterator[str]:
    difference, flips, needed = figures.difference, figures.wins + figures.losses, fewest_flips()
    if difference is None:
        return
    if flips < needed:
        yield f"Too few rows differ: {flips} of {figures.rows:,}; fewer than {needed} can never reach p < 0.05."
    if difference.low <= 0 <= difference.high and difference.high - difference.low > of_interest:
        text = f"The difference is between {difference.low:+.3f} and {difference.high:+.3f}, which includes 0"
        if figures.rows_needed is None:
            yield f"{text}: {_rows(figures.rows)} are too few to rule out a difference of interest."
        else:
            yield f"{text}: a difference of {difference.value:+.3f} needs about {_rows(figures.rows_needed)}."


def _ungrouped(columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        yield f"Not broken down by {column}: it has more than {MOST_VALUES} values."


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"
