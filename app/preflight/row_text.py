"""A row of the preflight as text: its parts, from the tokens that the trainer sees."""

from __future__ import annotations

from itertools import groupby

from app.ui.reading.values import Reading, reading_of
from tunixrt_core.traces.trace import Step
from tunixrt_core.training.preflight.report import RowView


def reading_of_row(view: RowView) -> Reading:
    """Prompt, steps and answer of a row, and all its text with format and control tokens as the raw text."""
    steps = groupby((token for token in view.tokens if token.step), lambda token: token.step)
    return reading_of(
        prompt=_text(view, "prompt").strip(),
        steps=[Step(i, "".join(token.text for token in tokens).strip()) for i, (_, tokens) in enumerate(steps)],
        answer=_text(view, "answer").strip() or None,
        output="".join(token.text for token in view.tokens),
    )


def _text(view: RowView, part: str) -> str:
    """The text of a part, without control tokens."""
    return "".join(token.text for token in view.tokens if token.part == part and not token.special)
