"""Dry run of a manifest: button, progress and findings."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.visitors import act_button
from app.ui.words import duration, plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.trainer import DryRunReport, DryRunState

TICK = 1.0  # seconds between updates of a running one


def show_dry_run(manifest: RunManifest) -> None:
    """The last dry run of this manifest, and a button to start one. The page reruns at the end."""
    state = get_pipeline().manifests.dry_runs.latest_of(manifest)
    if state is not None and not state.status.over:
        st.fragment(_show_progress, run_every=TICK)(state.id)
        return
    if state is None:
        st.caption("Does everything that a run does, once, on the longest rows. Keeps nothing.")
    elif state.report is not None:
        blocks.key_values(report_lines(state.report))
    else:
        _show_end(state)
    if act_button("Start dry run" if state is None else "Repeat dry run", icon=":material/science:", key="dry-run"):
        try:
            get_pipeline().manifests.start_dry_run(manifest)
        except TunixRTError as error:
            show_error(error)
        else:
            st.rerun()


def report_lines(report: DryRunReport) -> list[tuple[str, str]]:
    """The steps of the dry run, with their results and times."""
    text = repr(report.generated.strip()) if report.generated.strip() else "no text"
    evaluated = "no eval rows" if report.eval_loss is None else f"loss {report.eval_loss:.3f}"
    return [
        ("Train step", f"loss {report.train_loss:.3f} on {plural(report.tokens, 'token')}"),
        ("Compiling", duration(report.compile_seconds)),
        ("Evaluation", evaluated),
        ("Checkpoint", f"{report.checkpoint_bytes / 1e6:,.1f} MB in {duration(report.checkpoint_seconds)}"),
        ("Generation", f"{text} in {duration(report.generate_seconds)}"),
        ("Peak memory", f"{report.peak_memory_bytes / 1e9:.2f} GB"),
        ("Total time", duration(report.seconds)),
    ]


def _show_end(state: DryRunState) -> None:
    if state.status is RunStatus.FAILED:
        st.error(escape_markdown(f"The dry run failed: {state.message}"), icon=":material/error:")
    else:
        st.caption("The dry run was stopped.")


def _show_progress(dry_run_id: str) -> None:
    with error_boundary():
        rt = get_pipeline()
        state = rt.manifests.dry_run(dry_run_id)
        if state.status.over:
            st.rerun()
        waits = state.status is RunStatus.QUEUED
        st.markdown("Waiting for the device" if waits else f"{(state.phase or 'loading').capitalize()} …")
        if act_button("Stop", icon=":material/stop:", key="stop-dry-run"):
            rt.manifests.stop_dry_run(dry_run_id)
