"""Evaluations: ranking, comparison and every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app.evaluations.board import board_filters, show_board
from app.evaluations.compare import show_comparison, show_groups
from app.evaluations.evaluated import (
    Side,
    asked_words,
    default_pair,
    metric_names,
    metric_words,
    on_board,
    read_side,
    title_of,
)
from app.evaluations.form import show_form
from app.evaluations.intervals import show_every_score
from app.evaluations.leaks import show_leaks
from app.evaluations.predictions import show_predictions
from app.evaluations.results import pair_up
from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown, say_missing, show_error
from app.ui.components import address_select, card, empty_state, halves, header
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import evaluation_line, named
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.results.leaderboard import Board, Leaderboard
from tunixrt_core.evaluation.results.pairs import own_base
from tunixrt_core.evaluation.scorers.known import KnownScorer, known_scorers
from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunStatus

TICK = 2  # seconds between updates of a running evaluation
WHAT = "An evaluation compares the answers of the base and the tuned model to an eval set, row by row."


def show_nothing() -> None:
    with header("Evaluations", "Did it learn to reason?"):
        pass
    with empty_state("No evaluations yet", WHAT if tunix else f"{WHAT} It needs Tunix.", key="no-evaluations"):
        if tunix and finished and act_button(f"Evaluate {finished[0].id}", type="primary", key="evaluate-first"):
            go("evaluations", new="1", run=finished[0].id)
        elif tunix and not finished:
            show_way_to_a_run()


def show_way_to_a_run() -> None:
    """The run that will be ready for an evaluation, or the way to one."""
    if under_way is None:
        if st.button("Set up a run", key="go-new-run"):
            go("new-run")
        return
    st.caption(escape_markdown(f"{under_way.name} ({under_way.id}) is not over yet; then it can be evaluated here."))
    if st.button("Open the run", key="go-run"):
        go("run", run=under_way.id)


def show_new() -> None:
    with header("Evaluations", "Did it learn to reason?"):
        if st.button("All evaluations", icon=":material/arrow_back:", key="leave-form"):
            go("evaluations")
    if not finished:
        with empty_state("No run to evaluate", "A run can be evaluated when it is over.", key="no-run"):
            if tunix:
                show_way_to_a_run()
        return
    show_form(finished, None if tunix else "Evaluating needs Tunix, which is not installed.")


def show_progress() -> None:
    """Waiting and running evaluations. When one ends, the page reruns with its results."""
    with error_boundary():
        under_way = [record for record in rt.evaluations.records() if not record.status.over]
        if {record.id for record in under_way} != {record.id for record in waiting}:
            st.rerun()
        with card("In progress", key="eval-progress"):
            for record in reversed(under_way):
                state = rt.evaluations.get(record.id).state
                with st.container(horizontal=True, vertical_alignment="center"):
                    share = state.done / max(1, state.total)
                    run = by_id.get(record.run_id)
                    who = named(run) if run else record.run_id
                    st.progress(share, text=escape_markdown(f"{who} · {evaluation_line(record, state)}"))
                    if act_button("Stop", icon=":material/stop_circle:", key=f"stop-{record.id}"):
                        stop(record)


def stop(record: EvalRecord) -> None:
    try:
        rt.evaluations.stop(record.id)
        st.toast("Stopping after the current batch. The answers so far are kept.")
    except TunixRTError as error:
        show_error(error)


def show_failures(shown: Sequence[EvalRecord]) -> None:
    for record in shown:
        if record.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
            st.error(
                escape_markdown(f"{title_of(record, by_id.get(record.run_id))} was not evaluated: {record.message}"),
                icon=":material/error:",
            )
        elif record.message:
            st.warning(
                escape_markdown(f"{title_of(record, by_id.get(record.run_id))}: {record.message}"),
                icon=":material/warning:",
            )


def choose_board(boards: Sequence[Board], shown_run: str) -> Board:
    """The eval set in the address, or that of the run in the address, or the newest."""
    keyed = {board.eval_set.sha256[:8]: board for board in boards}
    own = [key for key, board in keyed.items() if any(shown_run in entry.runs for entry in board.entries)]
    if "set" not in st.query_params and own:
        st.query_params["set"] = own[0]
    chosen = address_select(
        "Eval set",
        list(keyed),
        "set",
        lambda key: f"{' / '.join(keyed[key].names)} ({keyed[key].eval_set.rows:,} prompts)",
        key="eval-set",
        label_visibility="collapsed",
        width=300,
    )
    return keyed[chosen]


def choose_metric(names: Sequence[str]) -> KnownScorer:
    chosen = st.segmented_control(
        "Score",
        names,
        default=names[0],
        format_func=metric_words,
        key="metric",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    name = chosen or names[0]
    return known.get(name.partition("=")[0]) or KnownScorer(name, 0, "")


def choose_sides(shown: Sequence[EvalRecord]) -> tuple[Side | None, Side]:
    """The two evaluations to compare. Both are in the address."""
    first, second = default_pair(shown, st.query_params.get("run", ""))
    titles = {r.id: title_of(r, by_id.get(r.run_id)) for r in shown}
    twice = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    records = {r.id: r for r in shown}

    def words(eval_id: str) -> str:
        title = titles[eval_id]
        return f"{title} · {asked_words(EvalSetup.from_dict(records[eval_id].setup))}" if title in twice else title

    with st.container(horizontal=True, vertical_alignment="bottom", key="sides"):
        ordered = [second.id, *(r.id for r in shown if r.id != second.id)]
        chosen = address_select("Model", ordered, "second", words, key="second-choice", width=330)
        others = [r.id for r in ([first] if first and first.id != chosen else []) if r]
        others += [r.id for r in shown if r.id not in (chosen, *others)]
        if not others:
            return None, side_of(records[chosen])
        against = address_select("Compared with", others, "first", words, key="first-choice", width=330)
    return side_of(records[against]), side_of(records[chosen])


def side_of(record: EvalRecord) -> Side:
    return read_side(record, by_id.get(record.run_id))


def own_side(first: Side | None, second: Side) -> Side | None:
    """The base model of a comparison with its own prompt, where it was asked so."""
    own = own_base(records, first.record) if first and second.record.target == "tuned" else None
    return side_of(own) if own else None


def show_boards(boards: Leaderboard) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="toolbar"):
        board = choose_board(boards.boards, st.query_params.get("run", ""))
        shown = on_board(records, board)
        filters = board_filters(board)
        scorer = choose_metric(metric_names(shown, known))
    ranked = rt.evaluations.leaderboard(scorer.name, higher_is_better=scorer.higher_is_better is not False, **filters)
    same = (b for b in ranked.boards if b.eval_set.sha256 == board.eval_set.sha256)
    board = next(same, replace(board, entries=()))
    show_failures(shown)
    first, second = choose_sides(shown)
    with halves():
        show_board(board, scorer)
        found = show_comparison(first, second, scorer, own_side(first, second))
    if first is not None and found is not None:
        show_groups(found, scorer)
        show_every_score(first, second, [known[name] for name in metric_names(shown, known) if name in known])
    show_leaks(second)
    pairs = pair_up(
        first.predictions if first else (), second.predictions, scorer.name, higher_is_better=scorer.higher_is_better
    )
    if pairs:
        show_predictions(pairs, first, second, scorer)


rt = get_pipeline()
tunix = rt.home.tunix_status().available
known: Mapping[str, KnownScorer] = {one.name: one for one in known_scorers()}
records = rt.evaluations.records()
all_runs = rt.runs.page(limit=500).items
by_id: Mapping[str, Run] = {run.id: run for run in all_runs}
finished = [run for run in all_runs if run.status.over and run.status not in (RunStatus.FAILED, RunStatus.BROKEN)]
under_way = next((run for run in all_runs if not run.status.over), None)
waiting = [record for record in records if not record.status.over]
if st.query_params.get("new"):
    show_new()
elif not records:
    show_nothing()
else:
    with header("Evaluations", "Models compared on the same eval set"):
        if st.button("New evaluation", type="primary", icon=":material/add:", key="new-evaluation"):
            go("evaluations", new="1", run=st.query_params.get("run", ""))
    if (asked := st.query_params.get("run", "")) and asked not in by_id and not rt.runs.named([asked]):
        say_missing("run", asked)
    if waiting:
        st.fragment(show_progress, run_every=TICK)()
    found_boards = rt.evaluations.leaderboard()
    if found_boards.boards:
        show_boards(found_boards)
    else:
        show_failures(records)
        if not waiting:
            st.caption("No evaluation has finished yet.")
