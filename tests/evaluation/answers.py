"""Predictions to compare, made of scores alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunixrt_core.evaluation.predictions import Prediction


def answer(
    row: int,
    score: float | None,
    *,
    sample: int = 0,
    scorer: str = "exact_match",
    prompt: str = "Task",
    groups: Mapping[str, str] | None = None,
) -> Prediction:
    """An answer to the row r0, r1, ..."""
    return Prediction(
        id=f"r{row}",
        prompt=prompt,
        reference="5",
        output="out",
        answer="5",
        scores={scorer: score},
        tokens=7,
        hit_limit=False,
        row=row,
        sample=sample,
        groups=groups or {},
    )


def side(scores: Sequence[float | None], *, scorer: str = "exact_match") -> list[Prediction]:
    """One evaluation with these scores."""
    return [answer(row, score, scorer=scorer) for row, score in enumerate(scores)]


def table(both: int, fixed: int, broken: int, neither: int) -> tuple[list[Prediction], list[Prediction]]:
    """Two evaluations that come to these counts."""
    pairs = [(1.0, 1.0)] * both + [(0.0, 1.0)] * fixed + [(1.0, 0.0)] * broken + [(0.0, 0.0)] * neither
    return side([first for first, _ in pairs]), side([second for _, second in pairs])
