"""Two lists of steps, aligned, with differing words marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from app.ui import blocks
from app.ui.reading.marks import marked
from tunixrt_core.traces.diff import Piece, StepDiff, StepPair
from tunixrt_core.traces.trace import Step

# by step, each as name and value
StepScores = Mapping[int, Sequence[tuple[str, float]]]


def step_table(diff: StepDiff, titles: Sequence[str], scores: Sequence[StepScores] = ({}, {})) -> str:
    """The pairs as a table: markup in which external text is escaped."""
    rows = "".join(_row(i, pair, i == diff.divergence, scores) for i, pair in enumerate(diff.pairs))
    head = f"<th>#</th><th>{escape(titles[0])}</th><th>{escape(titles[1])}</th>"
    table = f"<table class='side steps'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<div class='scroll'>{table}</div>"


def _row(i: int, pair: StepPair, parts_here: bool, scores: Sequence[StepScores]) -> str:
    mark = f"<tr class='parts'><td colspan='3'>First divergence: step {i + 1}</td></tr>" if parts_here else ""
    left = _side(pair.a, pair.a_pieces, scores[0])
    right = _side(pair.b, pair.b_pieces, scores[1])
    css = " class='here'" if parts_here else ""
    return f"{mark}<tr{css}><td class='n'>{i + 1}</td><td>{left}</td><td>{right}</td></tr>"


def _side(step: Step | None, pieces: Sequence[Piece], scores: StepScores) -> str:
    if step is None:
        return "<span class='mut'>No step</span>"
    said = " · ".join(f"{name} {value:g}" for name, value in scores.get(step.i, ()))
    score = f" <span class='mut'>{escape(said)}</span>" if said else ""
    text = "".join(
        marked(piece.text) if piece.same or not piece.text.strip() else f"<ins>{marked(piece.text)}</ins>"
        for piece in pieces
    )
    return f"{blocks.step_type(step.type)}{score}<div class='text'>{text}</div>"
