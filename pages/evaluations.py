"""Evaluations: base and tuned model on the same prompts, what training fixed and broke, and every prediction."""

from __future__ import annotations

import streamlit as st

from app import blocks
from app.boundary import error_boundary, escape_markdown, show_error
from app.components import address_select, card, empty_state, halves, header, table
from app.navigation import go
from app.prediction_views import show_predictions
from app.results import pair_up
from app.state import get_pipeline
from app.words import evaluation_line, p_value, percent, plural, points
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation import TARGETS, EvalRecord
from tunixrt_core.runs import Run, RunStatus

TICK = 2  # seconds between looks at an evaluation under way
WHAT = "An evaluation lets the base and the tuned model answer the eval split and compares the final answers."
COLORS = {"base": blocks.GRAY, "tuned": blocks.BLUE}


def show_nothing() -> None:
    with header("Evaluations", "Base and tuned model, answer by answer"):
        pass
    with empty_state("No evaluations yet", WHAT if tunix else f"{WHAT} It needs Tunix.", key="no-evaluations"):
        if tunix and st.button("Set up a run", key="go-new-run"):
            go("new-run")


def choose_run(runs: list[Run]) -> Run:
    by_id = {run.id: run for run in runs}
    chosen = address_select(
        "Run",
        list(by_id),
        "run",
        lambda run_id: f"{run_id} · {by_id[run_id].name}",
        key="run-choice",
        label_visibility="collapsed",
        width=360,
    )
    return by_id[chosen]


def show_board(runs: list[Run]) -> None:
    """All evaluated runs, to see which is ahead."""
    with card("Evaluated runs", note="exact match with 95% interval", key="board"):
        table(
            [board_row(run, {str(r.target): r for r in rt.evaluations(run.id)}) for run in runs],
            {
                "id": st.column_config.TextColumn("ID", width=70),
                "name": st.column_config.TextColumn("Run"),
                "base": st.column_config.NumberColumn("Base", format="%.1f%%", width=90),
                "tuned": st.column_config.NumberColumn("Tuned", format="%.1f%%", width=90),
                "interval": st.column_config.TextColumn("Interval of tuned", width=140),
                "split": st.column_config.TextColumn("Eval split of", width=140),
                "rows": st.column_config.NumberColumn("Prompts", format="localized", width=90),
            },
            key="board-table",
            alt=f"{plural(len(runs), 'evaluated run')} with the exact match of base and tuned model.",
        )


def board_row(run: Run, records: dict[str, EvalRecord]) -> dict[str, object]:
    scores = {target: record.metrics for target, record in records.items() if record.metrics.get("rows")}
    tuned = scores.get("tuned")
    return {
        "id": run.id,
        "name": run.name,
        **{target: 100 * metrics["exact_match"] for target, metrics in scores.items()},
        "interval": f"{percent(tuned['exact_match_low'])} to {percent(tuned['exact_match_high'])}" if tuned else None,
        "split": str(run.dataset) if run.dataset else None,
        "rows": max((metrics["rows"] for metrics in scores.values()), default=None),
    }


def show_evaluate(run: Run, records: dict[str, EvalRecord]) -> None:
    waiting = any(not record.status.over for record in records.values())
    why = None
    if not tunix:
        why = "Evaluating needs Tunix, which is not installed."
    elif waiting:
        why = "An evaluation of this run is on its way."
    if st.button(
        f"Evaluate {run.id}" if not records else "Evaluate again",
        type="secondary" if records else "primary",
        icon=":material/leaderboard:",
        key="evaluate",
        disabled=why is not None,
        help=why,
    ):
        try:
            rt.start_evaluation(run.id)
        except TunixRTError as error:
            show_error(error)
        else:
            st.rerun()


def show_progress(run_id: str) -> None:
    """While it runs. When it ends, the page is built once more with the results."""
    with error_boundary():
        records = rt.evaluations(run_id)
        if all(record.status.over for record in records):
            st.rerun()
        with card("In progress", key="eval-progress"):
            for record in sorted(records, key=lambda r: TARGETS.index(r.target)):
                state = rt.evaluation(record.id).state
                share = 1.0 if record.status is RunStatus.SUCCEEDED else state.done / max(1, state.total)
                st.progress(share, text=evaluation_line(record, state))
            if st.button("Stop evaluation", icon=":material/stop_circle:", key="stop-evaluation"):
                try:
                    rt.stop_run(run_id)
                    st.toast("Stopping after the batch under way. The answers so far are kept.")
                except TunixRTError as error:
                    show_error(error)


def show_scores(run: Run, records: dict[str, EvalRecord]) -> None:
    names = {"base": str(run.manifest["model"]["id"]), "tuned": run.id}
    rows = []
    for target in reversed(TARGETS):
        scores = records[target].metrics if target in records else {}
        if scores.get("rows"):
            note = f"{plural(scores['rows'], 'prompt')} · format valid {percent(scores['format_valid'])}"
            interval = (scores["exact_match_low"], scores["exact_match"], scores["exact_match_high"])
            rows.append((f"{names[target]} ({target})", note, *interval, COLORS[target]))
    with card("Exact match", note="95% Wilson interval", key="scores"):
        blocks.intervals(rows, "Exact match")


def show_comparison(run: Run, records: dict[str, EvalRecord]) -> None:
    found = rt.comparison(run.id)
    with card(
        f"{run.id} against its base", note=f"paired, same {found.rows:,} prompts" if found else "", key="comparison"
    ):
        if found is None:
            st.caption("Both models must have answered.")
            return
        blocks.segments(
            [
                ("Both right", found.both, blocks.TEAL),
                ("Fixed", found.fixed, blocks.BLUE),
                ("Broken", found.broken, blocks.RUST),
                ("Both wrong", found.neither, blocks.GRAY),
            ],
            f"{found.both} both right, {found.fixed} fixed, {found.broken} broken, {found.neither} both wrong",
        )
        difference = (found.fixed - found.broken) / max(1, found.rows)
        blocks.key_values(
            [
                ("Difference", points(difference)),
                ("McNemar p", f"{p_value(found.p_value)} ({found.fixed} fixed, {found.broken} broken)"),
            ]
        )
        st.markdown(conclusion(difference, found.p_value, found.broken))


def conclusion(difference: float, p: float, broken: int) -> str:
    if p >= 0.05:
        return "The two cannot be told apart on this many prompts."
    better = "better" if difference > 0 else "worse"
    also = (
        f" It also broke {plural(broken, 'prompt')} that the base model had right." if broken and difference > 0 else ""
    )
    return f"The tuned model is {better} on this eval split.{also}"


rt = get_pipeline()
tunix = rt.tunix_status().available
evaluated_ids = {record.run_id for record in rt.evaluations()}
all_runs = rt.runs(limit=200).items
evaluated = [run for run in all_runs if run.id in evaluated_ids]
over = [run for run in all_runs if run.status.over and run.status is not RunStatus.FAILED]
candidates = evaluated + [run for run in over if run not in evaluated]
if not candidates:
    show_nothing()
else:
    with header("Evaluations", "Base and tuned model on the eval split, final answers compared"):
        pass
    if len(evaluated) > 1:
        show_board(evaluated)
    with st.container(horizontal=True, vertical_alignment="center", key="toolbar"):
        run = choose_run(candidates)
        records = {str(record.target): record for record in rt.evaluations(run.id)}
        show_evaluate(run, records)
    for record in records.values():
        if record.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
            st.error(
                f"The {record.target} model was not evaluated: {escape_markdown(record.message)}",
                icon=":material/error:",
            )
    if any(not record.status.over for record in records.values()):
        st.fragment(show_progress, run_every=TICK)(run.id)
    if any(record.metrics.get("rows") for record in records.values()):
        with halves():
            show_scores(run, records)
            show_comparison(run, records)
    views = {target: rt.evaluation(record.id).predictions for target, record in records.items()}
    pairs = pair_up(views.get("base", ()), views.get("tuned", ()))
    if pairs:
        show_predictions(run, pairs)
    elif not records:
        with empty_state(f"{run.id} is not evaluated yet", WHAT, key="not-evaluated"):
            pass
