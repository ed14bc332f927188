"""Choice of the eval set: eval split, upload or file on the server."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.state import get_pipeline
from app.ui.words import plural
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.sets.report import EvalFileReport

SPLIT, FILE = "The run's eval split", "A file"
_TYPES = ["jsonl", "json", "csv", "parquet", "gz"]


def choose_eval_file() -> Path | None:
    """None for the eval split. Raises InvalidEvaluation and UnreadableFile for an unusable file."""
    kind = st.segmented_control("Eval set", [SPLIT, FILE], default=SPLIT, key="eval-kind", required=True)
    if kind != FILE:
        return None
    rt = get_pipeline()
    st.caption("Rows with `prompt` and `expected_answer`, and any columns to group by, such as `section` or `level`.")
    uploaded = st.file_uploader("Upload", type=_TYPES, key="eval-upload")
    if uploaded is not None:
        path = rt.evaluations.keep_file(uploaded.name, uploaded.getvalue())
    else:
        kept = {file.name: file for file in rt.evaluations.files()}
        chosen = st.selectbox(
            "Or a file uploaded before", list(kept), index=None, key="eval-kept", placeholder="None chosen"
        )
        typed = st.text_input("Or its path on the server", key="eval-path")
        if not chosen and not typed:
            raise InvalidEvaluation("No eval file. Upload one, or name a file on the server.")
        path = kept[chosen] if chosen else Path(typed).expanduser()
    show_report(rt.evaluations.check_file(path))
    return path


def show_report(report: EvalFileReport) -> None:
    """The rows to evaluate, and the problems of the file."""
    groups = "".join(f" · {name}: {plural(len(values), 'value')}" for name, values in report.groups.items())
    st.caption(f"{plural(report.rows, 'row')} to evaluate{groups}")
    for error in report.errors[:5]:
        st.warning(str(error), icon=":material/rule:")
    report.check()
