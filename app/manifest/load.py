"""Loading a manifest into the form from a file, text or run."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import show_error
from app.ui.forms.source import load_source
from app.ui.navigation import go
from tunixrt_core.errors import TunixRTError

_LISTED = 50


def load_manifest(prefix: str) -> None:
    """A popover with the sources that can fill the form."""
    with st.popover("Load manifest", icon=":material/upload_file:", key=f"{prefix}_load"):
        runs = get_pipeline().runs.page(limit=_LISTED).items
        if runs:
            names = {run.id: run.name for run in runs}
            run_id = st.selectbox(
                "Of a run", list(names), format_func=lambda each: f"{each} · {names[each]}", key=f"{prefix}_load-run"
            )
            if st.button(f"Clone {run_id}", icon=":material/content_copy:", key=f"{prefix}_load-clone"):
                go("new-run", clone=str(run_id))
        file = st.file_uploader("Or a file, YAML or JSON", ["yaml", "yml", "json"], key=f"{prefix}_load-file")
        if st.button("Fill the form from it", disabled=file is None, key=f"{prefix}_load-fill") and file is not None:
            try:
                load_source(prefix, file.name, file.getvalue().decode("utf-8", errors="replace"))
            except TunixRTError as error:
                show_error(error)
            else:
                st.rerun()
