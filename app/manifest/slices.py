"""A manifest on a TPU slice: whether it fits, and how fast it can be at most."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.background import TICK, follow
from app.ui.boundary import escape_markdown, show_error
from app.ui.visitors import act_button
from app.ui.words import duration
from tunixrt_core.errors import CompilerMissing, TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import LIMIT_WORDS, SliceReport, StepKind
from tunixrt_core.training.ahead.slices import known_slices
from tunixrt_core.training.estimates.memory import byte_words
from tunixrt_core.util.tasks import Task

_KINDS: tuple[StepKind, ...] = ("train",)
_MOST_CHIPS = 64  # of the slices in the list
_PREFERRED = "v5e-8"


def show_slice(manifest: RunManifest) -> None:
    """A slice to choose, and its report: kept from before, being compiled, or a button that starts it."""
    names = [each.name for each in known_slices() if each.chips <= _MOST_CHIPS]
    name = st.selectbox("TPU slice", names, index=names.index(_PREFERRED), key="slice")
    reports = get_pipeline().manifests.slices
    try:
        if (found := reports.kept(manifest, name, _KINDS)) is not None:
            show_report(found)
            return
        task = reports.tasks.last(reports.key(manifest, name, _KINDS))
        if task is not None and not task.over:
            st.fragment(follow, run_every=TICK)(reports.tasks, task.id, _show_progress)
            return
        if task is not None and task.status == "failed":
            show_error(task.error or TunixRTError(task.message))
        reports.require()
        st.caption("Compiles the train step for a slice without one; the page may be closed meanwhile.")
        if act_button("Compile for this slice", icon=":material/memory:", key="slice-compile"):
            get_pipeline().manifests.start_slice_report(manifest, name, _KINDS)
            st.rerun()
    except CompilerMissing as error:
        st.caption(escape_markdown(str(error)))  # nothing is wrong with the run, which does not need it
    except TunixRTError as error:
        show_error(error)


def show_report(report: SliceReport) -> None:
    """The sentence of a report, and the figures behind it."""
    (st.success if report.fits else st.warning)(escape_markdown(f"{report.sentence}."))
    blocks.key_values(report_lines(report))


def report_lines(report: SliceReport) -> list[tuple[str, str]]:
    """Memory, bound and time of a report."""
    train = report.step("train")
    assert train is not None, "it is one of _KINDS"
    lines = [
        ("Weights and optimizer", byte_words(train.weights + train.optimizer)),
        ("Temporary memory", byte_words(train.temporary)),
    ]
    if report.unused:
        lines.append(("Idle devices", f"{report.unused} of {report.devices}; more rows per batch use them"))
    bound = report.bound("train")
    if bound is None:
        return lines
    lines += [
        ("Limited by", LIMIT_WORDS[bound.roofline.limit]),
        ("Bound on MFU", f"{bound.utilisation:.0%}, or {bound.utilisation_without_links:.0%} with hidden transfers"),
    ]
    if report.chip_hours is not None and report.train_steps > 1:
        lines.append(("All train steps", f"at least {report.chip_hours:,.2f} chip-hours"))
    return lines


def _show_progress(task: Task[SliceReport]) -> None:
    left = f", about {duration(task.seconds_left)} left" if task.seconds_left else ""
    st.progress(task.share, text=f"{(task.phase or 'waiting').capitalize()}{left}")
    if act_button("Stop", icon=":material/stop:", key="stop-slice"):
        get_pipeline().manifests.stop_slice_report(task.id)
