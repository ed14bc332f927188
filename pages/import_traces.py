"""Import traces: the bundled examples, an upload or a file on the server; then what became of every row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import streamlit as st

from app import blocks
from app.boundary import show_error
from app.components import card, header, table, tiles
from app.navigation import go
from app.state import get_pipeline
from app.words import plural, whole
from tunixrt_core.errors import TunixRTError
from tunixrt_core.examples import example_traces
from tunixrt_core.ingest.report import ImportReport

EXAMPLES, UPLOAD, PATH = "Examples", "Upload", "Server path"
REPORT = "import-report"


def show_examples() -> None:
    st.markdown(
        "A few hundred small arithmetic traces that this project makes itself. The built-in model `tiny` learns them "
        "step by step, on a CPU, in minutes."
    )
    if st.button("Load example traces", type="primary", icon=":material/auto_awesome:", key="load-examples"):
        with st.spinner("Loading the example traces"):
            keep(rt.ingest_examples)
    first = next(iter(example_traces(1)))
    st.caption("One of them")
    blocks.prose(first.prompt)
    blocks.timeline(first.steps)
    blocks.answers(first.final_answer, first.reference_answer, None)


def show_upload() -> None:
    st.markdown(f"JSONL, plain or gzipped, up to {rt.settings.max_upload_mb:,} MB. {FORMATS}")
    upload = st.file_uploader(
        "File", label_visibility="collapsed", key="upload", max_upload_size=rt.settings.max_upload_mb
    )
    label = source_field("upload-label")
    if st.button(
        "Import upload",
        type="primary",
        icon=":material/upload:",
        key="import-upload",
        disabled=upload is None,
        help="Choose a file first." if upload is None else None,
    ):
        assert upload is not None, "the button is disabled without a file"
        with st.spinner(f"Importing {upload.name}"):
            keep(lambda: rt.ingest(cast(BinaryIO, upload), name=upload.name, source_label=label))


def show_path() -> None:
    st.markdown(f"For files that are too large to upload. {FORMATS}")
    path = st.text_input("Path on the server", placeholder="/data/traces.jsonl", key="server-path").strip()
    label = source_field("path-label")
    if st.button(
        "Import file",
        type="primary",
        icon=":material/folder_open:",
        key="import-path",
        disabled=not path,
        help=None if path else "Name a file first.",
    ):
        with st.spinner(f"Importing {path}"):
            keep(lambda: rt.ingest(Path(path).expanduser(), source_label=label))


def source_field(key: str) -> str | None:
    text = st.text_input(
        "Source", placeholder="as the file says", key=key, help="A word to find these traces by later, such as gsm8k."
    )
    return text.strip() or None


def keep(importing: Callable[[], ImportReport]) -> None:
    """Run the import and keep its report for this session; a file that cannot be read is said at once."""
    try:
        st.session_state[REPORT] = importing()
    except TunixRTError as error:
        st.session_state.pop(REPORT, None)
        show_error(error)


def show_report(report: ImportReport) -> None:
    with card(f"Import of {report.file}", note=f"{report.format} · {report.seconds:.1f} s", key="report"):
        tiles(
            [
                ("Read", whole(report.read), "Rows in the file."),
                ("Inserted", whole(report.inserted), "New traces."),
                ("Duplicate", whole(report.duplicate), "Were there already, word for word."),
                ("Rejected", whole(report.rejected), "Could not be read as a trace."),
            ],
            key="report-counts",
        )
        st.caption(
            f"{report.read:,} read = {report.inserted:,} inserted + {report.duplicate:,} duplicate + "
            f"{report.rejected:,} rejected"
        )
        if report.errors:
            show_rejected(report)
        with st.container(horizontal=True):
            if st.button("Build a dataset", type="primary", icon=":material/dataset:", key="build-a-dataset"):
                go("datasets", new="1")
            if st.button("Browse the traces", icon=":material/account_tree:", key="browse"):
                go("traces")


def show_rejected(report: ImportReport) -> None:
    shown = len(report.errors)
    more = f", the first {shown:,} shown" if shown < report.rejected else ""
    st.markdown(f"**{plural(report.rejected, 'rejected row')}**{more}")
    table(
        [{"line": e.line, "field": e.field or None, "reason": e.reason} for e in report.errors],
        {
            "line": st.column_config.NumberColumn("Line", format="localized", width=80),
            "field": st.column_config.TextColumn("Field", width=180),
            "reason": st.column_config.TextColumn("Reason"),
        },
        key="rejected",
        alt=f"{report.rejected:,} rejected rows with line, field and reason.",
        height="content" if shown <= 10 else 400,
    )


FORMATS = (
    "Known rows: traces, Tunix SFT exports, prompt and completion, GSM8K, question and answer. "
    "The format is found from the rows."
)
rt = get_pipeline()
with header("Import traces", "Nothing is stored twice, and every row is accounted for."):
    pass
report_slot = st.container()
tabs = st.tabs([EXAMPLES, UPLOAD, PATH], key="source", bind="query-params", on_change="rerun")
for tab, show in zip(tabs, (show_examples, show_upload, show_path), strict=True):
    if tab.open:
        with tab, st.container(border=True, key="import-form"):
            show()
if REPORT in st.session_state:
    with report_slot:
        show_report(st.session_state[REPORT])
