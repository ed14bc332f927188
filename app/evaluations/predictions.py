"""Answers to an eval set: list, filter and side-by-side reader."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from app.component.element import element
from app.evaluations.evaluated import Side, metric_words, value_words
from app.evaluations.results import ALL, FILTERS, Pair, filter_pairs
from app.state import get_pipeline
from app.traces.compare import divergence_words
from app.traces.step_table import step_table
from app.ui import blocks
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import card, halves
from app.ui.navigation import go
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from app.ui.visitors import act_button
from app.ui.words import MISSING, one_line, plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.scorers.known import KnownScorer
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.conversation import conversation_of
from tunixrt_core.traces.diff import diff_steps
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.traces.trace import Step


def show_predictions(pairs: Sequence[Pair], first: Side | None, second: Side, scorer: KnownScorer) -> None:
    """All answers in a list with a filter, and one row with both outputs side by side."""
    counts = {name: len(filter_pairs(pairs, name)) for name in (*FILTERS, ALL)}
    names = [name for name in FILTERS if counts[name]] if first else []
    with card("Answers", note=plural(len(pairs), "answer"), key="predictions"):
        chosen = st.segmented_control(
            "Show",
            [*names, ALL],
            default=ALL,
            format_func=lambda name: f"{name} {counts[name]:,}",
            key="show",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        _offer_keeping(second)
        shown = filter_pairs(pairs, chosen or ALL)
        if not shown:
            st.caption("None.")
            return
        here = _pair_in_address(shown)
        asked = {"second": second.record.id, "scorer": scorer.name, "show": chosen or ALL}
        element(
            "listing",
            key="prediction-list",
            what="pairs",
            url=f"/api/evaluations/pairs?{urlencode(asked | ({'first': first.record.id} if first else {}))}",
            version=str(len(pairs)),
            shown=f"{here.any.row}.{here.any.sample}",
            label=f"{plural(len(shown), 'answer')} with the reference",
            rows=11,
        )
    show_reader(here, first, second, scorer)


def _offer_keeping(side: Side) -> None:
    """The right answers as new traces, for the next dataset."""
    right = sum(p.correct for p in side.predictions)
    if not right or side.record.status is not RunStatus.SUCCEEDED:
        return
    with st.popover(f"Keep {plural(right, 'right answer')} as traces", icon=":material/library_add:", width="content"):
        who = escape_markdown(side.title)
        st.caption(
            f"New traces by {who}, with the score, so that the next dataset can hold them. A dataset with these "
            "prompts must not be evaluated on this eval set again."
        )
        if act_button("Keep them", type="primary", key="keep-predictions"):
            try:
                kept = get_pipeline().evaluations.keep_predictions(side.record.id)
            except TunixRTError as error:
                show_error(error)
            else:
                st.success(f"{kept.inserted:,} new, {kept.duplicate:,} that already exist.", icon=":material/check:")


def _pair_in_address(pairs: Sequence[Pair]) -> Pair:
    """The pair of the row and the sample that the address names, else the first."""
    row_id, sample = st.query_params.get("row"), st.query_params.get("sample", "0")
    return next((pair for pair in pairs if (pair.any.id, str(pair.any.sample)) == (row_id, sample)), pairs[0])


def show_reader(pair: Pair, first: Side | None, second: Side, scorer: KnownScorer) -> None:
    """One row: the question, the answers side by side, their aligned steps, and every score."""
    told = pair.any
    groups = "".join(f" · {name} {value}" for name, value in told.groups.items())
    with card(f"Row {told.row + 1}", note=f"reference {one_line(told.reference, 60)}{groups}", key="prediction"):
        asked = reading_of(
            prompt=told.prompt, reference=told.reference, system=told.system, talk=conversation_of(told.conversation)
        )
        show_reading(asked, "Question", key="prediction-question")
        sides = [(first, pair.first), (second, pair.second)] if first and pair.first else [(second, pair.second)]
        there = [(side, p) for side, p in sides if side is not None and p is not None]
        titles = [_title(side, p, scorer) for side, p in there]
        with halves() if len(there) == 2 else st.container():
            for at, (title, (side, p)) in enumerate(zip(titles, there, strict=True)):
                with st.container(key=f"prediction-side-{at}", gap="xsmall"):
                    st.caption(escape_markdown(title))
                    answered = reading_of(steps=_steps(side, p), answer=p.answer, output=p.output)
                    show_reading(answered, title, key=f"prediction-answer-{at}")
        if len(there) == 2:
            (a_side, a), (b_side, b) = there
            diff = diff_steps(_steps(a_side, a), _steps(b_side, b))
            with st.expander(f"Differences · {divergence_words(diff, 'answers')}", key="prediction-diff"):
                blocks.html(step_table(diff, titles))
        with st.expander("Scores", key="row-scores"):
            for title, (_, p) in zip(titles, there, strict=True):
                st.caption(escape_markdown(title))
                blocks.key_values(score_words(p))
        _actions(there[-1][0], there[-1][1])


def _actions(side: Side, prediction: Prediction) -> None:
    if st.button("Ask again in the playground", icon=":material/chat:", key="to-playground"):
        go("playground", run=side.record.run_id, eval=side.record.id, row=prediction.id)


def _title(side: Side, p: Prediction, scorer: KnownScorer) -> str:
    value = p.scores.get(scorer.name)
    said = {1.0: "right", 0.0: "wrong"}.get(value, "") if scorer.unit == "share" and value is not None else ""
    said = said or value_words(value, scorer.unit)
    limit = " · cut at the limit" if p.hit_limit else ""
    return f"{side.title} · {one_line(p.answer, 40) if p.answer is not None else 'no answer'} · {said}{limit}"


def _steps(side: Side, p: Prediction) -> tuple[Step, ...]:
    return tuple(Step(i, text) for i, text in enumerate(parse_completion(p.output, side.style).steps))


def score_words(p: Prediction) -> list[tuple[str, str]]:
    """Every score with its name, and the length."""
    found = []
    for name, value in p.scores.items():
        said = MISSING if value is None else f"{value:g}"
        word = p.verdicts.get(name)
        found.append((metric_words(name), f"{said} · {word}" if word else said))
    return [*found, ("Tokens", f"{p.tokens:,}{' (the token limit)' if p.hit_limit else ''}")]
