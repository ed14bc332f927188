"""Log and configuration of a run."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.runs.actions import difference_lines
from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import escape_markdown
from app.ui.components import card, halves
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import percent
from tunixrt_core.errors import BrokenFile, ModelError, NotFound
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import Run, RunState


def show_log(run: Run) -> DeltaGenerator:
    """The end of the log, scrolled to its last line, and the whole log as a download."""
    file = get_pipeline().runs.folder(run.id).log_file
    st.download_button(
        "Download whole log",
        lambda: file.read_bytes() if file.exists() else b"",
        f"{run.id}.log",
        "text/plain",
        icon=":material/download:",
        key="download-log",
        on_click="ignore",
    )
    return st.container(height=460, border=False, autoscroll=True, key="log")


def show_config(run: Run, state: RunState, manifest: RunManifest) -> None:
    """The changes of a clone, the findings before the first train step, and the manifest."""
    parent = get_pipeline().runs.parent(run)
    if parent is not None:
        with card(f"Changed from {parent.run}", note="when it was cloned", key="run-parent"):
            changed = difference_lines(parent.changed)
            blocks.key_values(changed or [("Nothing", "The same run in another folder")])
            if st.button("Compare the two", icon=":material/compare_arrows:", key="compare-parent"):
                go("run", runs=f"{parent.run},{run.id}")
    _show_base(run)
    with halves():
        with card("Plan", note=state.device, key="run-plan"):
            pairs = [(key.replace("_", " ").capitalize(), _said(key, value)) for key, value in state.plan.items()]
            blocks.key_values(
                pairs or [("Rows", f"{manifest.data.train_rows:,} train, {manifest.data.eval_rows:,} eval")]
            )
            st.caption("Folder")
            st.code(run.directory, language=None, wrap_lines=True)
            if manifest.tracking.tensorboard:
                st.caption("The curves in TensorBoard, a separate program")
                st.code(f"tensorboard --logdir {run.directory}/tensorboard", language=None, wrap_lines=True)
        with card("Manifest", note=f"sha256 {manifest.content_hash[:8]}", key="run-manifest"):
            st.download_button(
                "Download YAML",
                manifest.to_yaml(),
                f"{run.id}.yaml",
                "application/yaml",
                icon=":material/download:",
                key="download-run-yaml",
                on_click="ignore",
            )
            st.code(manifest.to_yaml(), language="yaml", height=420)


def _show_base(run: Run) -> None:
    """The base model where the files on this machine are others, with the way to accept them."""
    try:
        found = get_pipeline().runs.base(run.id)
    except (NotFound, ModelError, BrokenFile):
        return  # a run that has not begun, or whose model is on another machine
    if not found.changed:
        return
    with card("Another base model", note=found.recorded.model, key="run-base"):
        st.warning(
            f"The files on this machine are not those that {run.id} was trained on. Until they are put back or "
            "accepted, it cannot be resumed, evaluated, asked or exported.",
            icon=":material/warning:",
        )
        st.markdown("\n".join(f"- {escape_markdown(each)}" for each in found.changed))
        if act_button("Accept these files", key="accept-base"):
            get_pipeline().runs.accept_base(run.id)
            st.rerun()


def _said(key: str, value: object) -> str:
    return percent(value) if key.endswith("_share") and isinstance(value, float) else _words(value)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " · ".join(f"{name} {_words(each)}" for name, each in value.items())
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
