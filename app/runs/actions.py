"""Actions on a run by its state: stop, save, resume, clone, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import streamlit as st

from app.manifest.start import start_button
from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import escape_markdown, show_error
from app.ui.forms.submissions import next_submission
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import rate
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.variants import Difference, read_changes
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.training.learning_rate import CHOICE_WORDS, CHOICES, ScheduleChoice

_RESUMABLE = (RunStatus.STOPPED, RunStatus.FAILED, RunStatus.INTERRUPTED)
_TRAINS = (RunStatus.RUNNING, RunStatus.COMPILING)
_SHOWN_CHANGES = 3  # under the title of a clone


def show_actions(run: Run, state: RunState) -> None:
    """The buttons at the right of the title: the main action, and a menu with the others."""
    if not run.status.over:
        _stop(run)
    elif run.status in _RESUMABLE and act_button("Resume", icon=":material/resume:", key="resume-run"):
        act(
            lambda: get_pipeline().runs.resume(run.id, request_id=_once(run, "resume", state.train_step)),
            f"{run.id} continues from its last checkpoint.",
        )
    if _trained(run):
        _evaluate(run)
    # its forms take longer than the rest of the page, which is drawn again at each change of the run
    with st.popover("More", icon=":material/more_horiz:", key="more-run", on_change="rerun") as more:
        if more.open:
            with st.container(width=380):
                _more(run, state)


def _more(run: Run, state: RunState) -> None:
    with st.container(horizontal=True):
        if st.button("Preflight", icon=":material/fact_check:", key="go-preflight"):
            go("preflight", run=run.id)
        _save(run)
    if _trained(run):
        with st.expander("More train steps", icon=":material/more_time:", key="longer-run"):
            _train_longer(run, state)
    with st.expander("Clone with changes", icon=":material/content_copy:", key="clone-run"):
        _clone(run)


def _trained(run: Run) -> bool:
    """Whether the run has a checkpoint to continue from."""
    return run.status.over and run.status is not RunStatus.FAILED


def _save(run: Run) -> None:
    if run.status in _TRAINS and act_button(
        "Save checkpoint",
        icon=":material/save:",
        key="save-run",
        help="Saves a checkpoint after the current train step. The run continues.",
    ):
        act(lambda: get_pipeline().runs.save_checkpoint(run.id), f"{run.id} saves a checkpoint after this train step.")


def _stop(run: Run) -> None:
    stopping = run.status is RunStatus.STOPPING
    if act_button(
        "Stop and save",
        icon=":material/stop_circle:",
        key="stop-run",
        disabled=stopping,
        help="The run is already stopping."
        if stopping
        else "Ends the run after the current train step and keeps a checkpoint.",
    ):
        act(lambda: get_pipeline().runs.stop(run.id), f"{run.id} stops after this train step and keeps a checkpoint.")


def _train_longer(run: Run, state: RunState) -> None:
    done = state.train_step
    total = st.number_input(
        "Total train steps",
        min_value=done + 1,
        value=max(done + 1, round(1.5 * max(done, state.total_train_steps))),
        step=1,
        key="longer-steps",
        help="New total. The run continues from its last checkpoint.",
    )
    st.caption(f"{done:,} are done.")
    schedule = _pick_schedule(run, int(total))
    if act_button("Train for longer", type="primary", key="train-longer"):
        request_id = _once(run, f"longer {schedule}", int(total))
        act(
            lambda: get_pipeline().runs.resume(
                run.id, train_steps=int(total), schedule=schedule, request_id=request_id
            ),
            f"{run.id} continues to train step {total:,}.",
        )


def _pick_schedule(run: Run, total: int) -> ScheduleChoice:
    """What the learning rate does from the next train step on, with its values."""
    try:
        change = get_pipeline().runs.rate_change(run.id, train_steps=total)
    except TunixRTError:  # the start says it
        return "stretch"
    if change is None or change.kind == "constant":
        return "stretch"
    chosen = st.radio(
        "Learning rate",
        CHOICES,
        format_func=lambda name: f"{name.capitalize()}: {change.choices[name]:.3g} next",
        captions=[CHOICE_WORDS[name].capitalize() for name in CHOICES],
        key="longer-schedule",
    )
    st.caption(f"It was {change.before:.3g} in train step {change.train_step:,}.")
    return chosen


def _once(run: Run, what: str, number: int) -> str:
    """Request id of an action that is possible once per end of a run: a continued run ends at another time."""
    return f"{run.id} {what} {number} {run.ended_at.isoformat() if run.ended_at else ''}"


def _clone(run: Run) -> None:
    text = st.text_area(
        "Changes, one per line",
        placeholder="learning_rate=1e-4\ntrain_steps=400",
        key="clone-changes",
        help="NAME=VALUE with the flat names of `tunixrt manifest --set`. Default: none, the same run in a new folder.",
    )
    try:
        changes = read_changes(item for item in text.splitlines() if item.strip())
    except TunixRTError as error:
        show_error(error)
    else:
        show_clone(run, changes, key="clone")
    if st.button("Change it in the form", icon=":material/tune:", key="clone-form"):
        go("new-run", clone=run.id)


def show_clone(run: Run, changes: Mapping[str, Any], *, key: str) -> None:
    """The changes of a clone, and the button that starts it."""
    try:
        variant = get_pipeline().manifests.clone(run.id, changes)
    except TunixRTError as error:
        show_error(error)
        return
    if variant.changed:
        blocks.key_values(difference_lines(variant.changed))
    start_button(variant.manifest, what="clone", parent=run.id, key=f"{key}-start", width="content")


def difference_lines(changed: Sequence[Difference]) -> list[tuple[str, str]]:
    """`optimizer.learning_rate`, `2e-4 → 1e-4`."""
    return [(each.key, " → ".join(map(_value_words, each.values))) for each in changed]


def _value_words(value: object) -> str:
    if value is None:
        return "null"
    # in the form that a user types: 2e-4, not Python's 0.0002
    return rate(value) if isinstance(value, float) and 0 < abs(value) < 0.01 else str(value)


def show_parent(run: Run) -> None:
    """The parent of a clone: `Clone of r-0001: optimizer.learning_rate 2e-4 → 1e-4`."""
    parent = get_pipeline().runs.parent(run)
    if parent is None:
        return
    lines = [f"{key} {values}" for key, values in difference_lines(parent.changed)]
    said = ", ".join(lines[:_SHOWN_CHANGES]) or "no changes"
    more = f" and {len(lines) - _SHOWN_CHANGES} more, see Config" if len(lines) > _SHOWN_CHANGES else ""
    st.caption(f"Clone of [{parent.run}](run?run={quote(parent.run)}): {escape_markdown(said)}{more}")


def _evaluate(run: Run) -> None:
    """One click starts the evaluation of base and tuned model and opens its page."""
    evaluated = bool(get_pipeline().evaluations.records(run.id))
    label = "See evaluation" if evaluated else "Evaluate"
    button = st.button if evaluated else act_button
    if button(label, type="primary", icon=":material/leaderboard:", key="evaluate-run"):
        try:
            if not evaluated:
                submission = next_submission("evaluation", [run.id, "as usual"])
                get_pipeline().evaluations.start(run.id, request_id=submission.id)
        except TunixRTError as error:
            show_error(error)
        else:
            go("evaluations", run=run.id)


def act(action: Callable[[], object], said: str) -> None:
    """Run the action and confirm it, or show the error."""
    try:
        action()
    except TunixRTError as error:
        show_error(error)
    else:
        st.toast(said)
        st.rerun()
