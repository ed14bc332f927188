"""Preview of a file: format, columns, rejected rows, first traces."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.imports.files import Ready, samples_words
from app.imports.reports import show_errors, show_notes, show_warnings
from app.ui import blocks
from app.ui.boundary import escape_markdown
from app.ui.components import halves, table
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of_trace
from app.ui.words import plural
from tunixrt_core.ingest.report import Preview, PreviewRow, Unit
from tunixrt_core.traces.trace import Trace

_SURE_TINTS = {"high": "green", "medium": "amber", "low": "red"}
_SURE_WORDS = {"high": "Sure", "medium": "Likely", "low": "A guess"}


def show_summary(ready: Ready, name: str, key: str = "", *, imported: bool = False) -> None:
    """The format under this name, how many rows would be read, and the rejected ones.

    `key` tells the elements from those of another file on the page. `imported`: its import has begun.
    """
    preview = ready.preview
    sure, why = ("low", "columns by a guess") if ready.guessed else (preview.sure, preview.why)
    state, tint = _SURE_WORDS[sure], _SURE_TINTS[sure]
    blocks.facts(name, state, tint, f"· {preview.container} · {why}")
    sample = "all" if preview.whole else "the first"
    st.caption(
        f"Of {sample} {plural(preview.good + preview.bad, 'row')}, {preview.good:,} would be read and {preview.bad:,} "
        f"rejected. {'The report above says what was stored.' if imported else 'Nothing is stored yet.'}"
    )
    if preview.rejected:
        show_errors(preview.rejected, preview.bad, key=f"{key}preview-rejected")
    show_warnings(preview.warnings, preview.unit)
    show_notes(preview.notes)


def show_details(preview: Preview, key: str = "") -> None:
    """The destination of each column, and the first rows as traces."""
    with halves():
        with st.container(gap="small"):
            table(
                [{"column": c.name, "field": c.field, "sample": samples_words(c) or None} for c in preview.told],
                {
                    "column": st.column_config.TextColumn("Column", width=130),
                    "field": st.column_config.TextColumn("Becomes", width=130),
                    "sample": st.column_config.TextColumn("First values"),
                },
                key=f"{key}columns",
                alt="Columns of the file, what each becomes, and its first values.",
                height="content" if len(preview.told) <= 8 else 340,
            )
        with st.container(gap="small"):
            show_rows(preview.rows, preview.unit, key)


def show_rows(rows: Sequence[PreviewRow], unit: Unit, key: str) -> None:
    """Rows of the sample one at a time, as traces."""
    if not rows:
        return
    chosen = st.segmented_control(
        "Row",
        range(len(rows)),
        default=0,
        format_func=lambda i: f"{unit.capitalize()} {rows[i].line:,}",
        key=f"{key}preview-row",
        required=True,
        label_visibility="collapsed",
    )
    row = rows[min(chosen, len(rows) - 1)]
    for error in row.errors:
        st.error(escape_markdown(f"{error.field}: {error.reason}" if error.field else error.reason))
    for i, value in enumerate(row.traces):
        if len(row.traces) > 1:
            st.caption(f"Trace {i + 1} of {len(row.traces)} of this row")
        trace = Trace.from_dict(value)
        show_reading(reading_of_trace(trace), f"Trace of line {row.line:,}", key=f"{key}preview-trace-{i}")
