"""Predictions of an evaluation: a table with a filter, and a reader for one of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import blocks
from app.components import card, pick_row
from app.results import FILTERS, Pair, Verdict, filter_pairs
from app.words import MISSING, one_line, plural
from tunixrt_core.runs import Run


def show_predictions(run: Run, pairs: Sequence[Pair]) -> None:
    """Every prediction in a table, to filter, and one of them with both outputs side by side."""
    counts = {name: len(filter_pairs(pairs, name)) for name in FILTERS}
    with card("Predictions", note=plural(len(pairs), "prompt"), key="predictions"):
        chosen = st.segmented_control(
            "Show",
            list(FILTERS),
            default="All",
            format_func=lambda name: f"{name} {counts[name]:,}",
            key="show",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        shown = filter_pairs(pairs, chosen or "All")
        if not shown:
            st.caption("None.")
            return
        picked = pick_row(
            [_row(pair) for pair in shown],
            {
                "verdict": st.column_config.MultiselectColumn(
                    "Verdict",
                    options=[v.value for v in Verdict],
                    color=["green", "blue", "orange", "gray", "gray"],
                    width=110,
                ),
                "reference": st.column_config.TextColumn("Reference", width=80),
                "base": st.column_config.TextColumn("Base", width=70),
                "tuned": st.column_config.TextColumn("Tuned", width=70),
                "prompt": st.column_config.TextColumn("Prompt"),
            },
            key=f"prediction-list-{run.id}-{chosen}",
            alt=f"{plural(len(shown), 'prediction')} with reference, base and tuned answer.",
            selected=0,
            height="content" if len(shown) <= 10 else 400,
        )
    _show_reader(run, shown[picked or 0])


def _row(pair: Pair) -> dict[str, object]:
    return {
        "prompt": one_line(pair.any.prompt),
        "reference": one_line(pair.any.reference, 40),
        "base": _answer(pair, "base"),
        "tuned": _answer(pair, "tuned"),
        "verdict": [pair.verdict.value],
    }


def _answer(pair: Pair, target: str) -> str | None:
    prediction = pair.base if target == "base" else pair.tuned
    return one_line(prediction.answer, 40) if prediction and prediction.answer is not None else None


def _show_reader(run: Run, pair: Pair) -> None:
    with card("Prediction", note=f"{pair.verdict.value} · trace {pair.any.id[:8]}", key="prediction"):
        st.caption("Prompt")
        blocks.prose(pair.any.prompt)
        st.caption("Reference")
        blocks.prose(pair.any.reference)
        titles = {"base": f"Base · {run.manifest['model']['id']}", "tuned": f"Tuned · {run.id}"}
        sides = []
        for target, prediction in (("base", pair.base), ("tuned", pair.tuned)):
            verdict = MISSING if prediction is None else "right" if prediction.correct else "wrong"
            limit = " · cut at the length limit" if prediction and prediction.hit_limit else ""
            sides.append((f"{titles[target]} · {verdict}{limit}", prediction.output if prediction else ""))
        blocks.side_by_side(sides[0], sides[1])
