"""Preview, progress and result of an import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.background import TICK, follow
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import card, table, tiles
from app.ui.navigation import go
from app.ui.reader import show_reading
from app.ui.reading import reading_of_trace
from app.ui.words import duration, plural, whole
from tunixrt_core.errors import Stopped, TunixRTError
from tunixrt_core.ingest.files.packed import without_suffix
from tunixrt_core.ingest.report import (
    Diagnosis,
    ImportReport,
    Preview,
    PreviewRow,
    ReadWarning,
    RowError,
    Unit,
)
from tunixrt_core.jobs.imports import FileRead
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.tasks import Task

PATIENCE = 0.4  # a small file is read before a progress bar is drawn

_SURE_TINTS = {"high": "green", "medium": "amber", "low": "red"}
_SURE_WORDS = {"high": "Sure", "medium": "Likely", "low": "A guess"}


def show_preview(preview: Preview) -> None:
    """The format, the destination of each column, and the first row as a trace."""
    rows = preview.good + preview.bad
    blocks.facts(
        preview.format.replace("_", " "),
        _SURE_WORDS[preview.sure],
        _SURE_TINTS[preview.sure],
        f"· {preview.container} · {preview.why}",
    )
    sample = "all" if preview.whole else "the first"
    st.caption(
        f"Of {sample} {plural(rows, 'row')}, {preview.good:,} would be read and {preview.bad:,} rejected. "
        "Nothing is stored yet."
    )
    show_warnings(preview.warnings, preview.unit)
    show_notes(preview.notes)
    table(
        [
            {"column": c.name, "field": c.field, "sample": " | ".join(" ".join(s.split()) for s in c.samples) or None}
            for c in preview.told
        ],
        {
            "column": st.column_config.TextColumn("Column", width=140),
            "field": st.column_config.TextColumn("Becomes", width=150),
            "sample": st.column_config.TextColumn("First values"),
        },
        key="columns",
        alt="Columns of the file, what each becomes, and its first values.",
        height="content" if len(preview.told) <= 8 else 340,
    )
    show_rows(preview.rows, preview.unit)


def show_warnings(warnings: Sequence[ReadWarning], unit: Unit) -> None:
    """Rows that may have been misread."""
    for warning in warnings:
        words = f"{plural(warning.times, 'row')}, first {unit} {warning.first_line:,}: {warning.text}"
        st.warning(escape_markdown(words), icon=":material/warning:")


def show_notes(notes: Sequence[str]) -> None:
    """How the file is read where that is not plain."""
    for note in notes:
        st.caption(escape_markdown(note))


def show_rows(rows: Sequence[PreviewRow], unit: Unit) -> None:
    """Rows of the sample one at a time, as traces."""
    if not rows:
        return
    chosen = st.segmented_control(
        "Row",
        range(len(rows)),
        default=0,
        format_func=lambda i: f"{unit.capitalize()} {rows[i].line:,}",
        key="preview-row",
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
        show_reading(reading_of_trace(trace), f"Trace of line {row.line:,}", key=f"preview-trace-{i}")


def show_import(task: Task[FileRead]) -> None:
    """The progress of a file, or its report; the page reruns at the end."""
    imports = get_pipeline().traces.imports
    task = imports.wait(task.id, PATIENCE)
    if not task.over:
        with st.container(border=True, key="import-job"):
            st.fragment(follow, run_every=TICK)(imports, task.id, _show_progress)
        return
    try:
        found = task.value()
    except Stopped as stopped:
        st.warning(escape_markdown(str(stopped)), icon=":material/stop_circle:")
    except TunixRTError as error:
        show_error(error)
    else:
        if isinstance(found.report, ImportReport):
            show_report(found.report, found)
        else:
            show_diagnosis(found.report, found)


def _show_progress(task: Task[FileRead]) -> None:
    action = {"import": "Importing", "check": "Checking"}[task.kind]
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            st.progress(task.share, text=escape_markdown(f"{action} {task.title} · {progress_words(task)}"))
        st.button(
            "Stop",
            icon=":material/stop:",
            key="stop-import",
            disabled=task.stopping,
            help="Stopping." if task.stopping else "Stops the task. Nothing is stored.",
            on_click=_stop,
            args=(task.id,),
        )


def _stop(task_id: str) -> None:
    get_pipeline().traces.imports.stop(task_id)


def progress_words(task: Task[FileRead]) -> str:
    """Traces read, rate and time left, as far as known."""
    if task.stopping:
        return "stopping"
    if not task.done:
        return "queued" if task.status == "waiting" else "reading the first rows"
    parts = [f"{task.done:,} {'traces' if task.kind == 'import' else 'rows'}"]
    if task.seconds:
        parts.append(f"{task.done / task.seconds:,.0f}/s")
    if task.phase == "finishing":
        parts.append("filling the search index" if task.kind == "import" else "last rows")
    elif task.seconds_left is not None:
        parts.append(f"about {duration(task.seconds_left)} left")
    return " · ".join(parts)


def show_report(report: ImportReport, file: FileRead | None = None) -> None:
    scores = f" · {plural(report.scores, 'score')}" if report.scores else ""
    with card(f"Import of {report.file}", note=f"{report.format} · {report.seconds:.1f} s{scores}", key="report"):
        tiles(
            [
                ("Read", whole(report.read), "Traces read from the rows of the file, good or bad."),
                ("Inserted", whole(report.inserted), "New traces."),
                ("Duplicate", whole(report.duplicate), "Already stored, with identical content."),
                ("Rejected", whole(report.rejected), "Could not be read as a trace."),
            ],
            key="report-counts",
        )
        st.caption(
            f"{report.read:,} read = {report.inserted:,} inserted + {report.duplicate:,} duplicate + "
            f"{report.rejected:,} rejected"
        )
        show_warnings(report.warnings, "line")
        show_notes(report.notes)
        show_rejected(report.errors, report.rejected, report.file, file)
        with st.container(horizontal=True):
            if st.button("Build a dataset", type="primary", icon=":material/dataset:", key="build-a-dataset"):
                go("datasets", new="1")
            if st.button("Browse the traces", icon=":material/account_tree:", key="browse"):
                go("traces")


def show_diagnosis(found: Diagnosis, file: FileRead) -> None:
    """Result of a check: every row was read and none stored."""
    note = f"{found.format} · {plural(found.rows, 'row')} · {found.seconds:.1f} s · nothing stored"
    with card(f"Check of {found.file}", note=note, key="diagnosis"):
        tiles(
            [
                ("Read", whole(found.read), "Traces read from the rows of the file, good or bad."),
                ("Would be inserted", whole(found.unique), "Distinct traces."),
                ("Duplicate", whole(found.duplicate), "Produce the same trace as an earlier row of the file."),
                ("Rejected", whole(found.rejected), "Could not be read as a trace."),
            ],
            key="diagnosis-counts",
        )
        if found.twins:
            first = found.twins[0]
            st.caption(
                f"The first duplicate is {found.unit} {first.line:,}, the same as {found.unit} {first.first_line:,}."
                + (f" {found.scores:,} scores would be inserted too." if found.scores else "")
            )
        if len(found.reasons) > 1:
            table(
                [r._asdict() | {"field": r.field or None} for r in found.reasons],
                {
                    "times": st.column_config.NumberColumn("Rows", format="localized", width=70),
                    "field": st.column_config.TextColumn("Field", width=120),
                    "reason": st.column_config.TextColumn("Reason"),
                    "first_line": st.column_config.NumberColumn(f"First {found.unit}", format="localized", width=90),
                },
                key="reasons",
                alt=f"{len(found.reasons)} reasons for rejected rows, with counts.",
                height="content" if len(found.reasons) <= 8 else 340,
            )
        show_warnings(found.warnings, found.unit)
        show_notes(found.notes)
        show_rejected(found.errors, found.rejected, found.file, file)


def show_rejected(errors: Sequence[RowError], rejected: int, name: str, file: FileRead | None) -> None:
    """The rejected rows with line, field and reason, and the rows themselves to download."""
    if not errors:
        return
    more = f", the first {len(errors):,} shown" if len(errors) < rejected else ""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{plural(rejected, 'rejected row')}**{more}", width="content")
        if file is not None:
            st.download_button(
                "Rejected rows",
                file.rejected,
                file_name=_rejects_name(name),
                icon=":material/download:",
                key="rejects",
                help="Copied from the file unchanged. Fix them and import the fixed file.",
            )
    rows: list[dict[str, Any]] = [{"line": e.line, "field": e.field or None, "reason": e.reason} for e in errors]
    table(
        rows,
        {
            "line": st.column_config.NumberColumn(errors[0].unit.capitalize(), format="localized", width=70),
            "field": st.column_config.TextColumn("Field", width=120),
            "reason": st.column_config.TextColumn("Reason"),
        },
        key="rejected",
        alt=f"{rejected:,} rejected rows with {errors[0].unit}, field and reason.",
        height="content" if len(errors) <= 10 else 400,
    )


def _rejects_name(name: str) -> str:
    """`rows.csv.gz` -> `rows.rejects.csv`: rejected rows are unpacked; those of tables are JSON Lines."""
    path = PurePath(without_suffix(name))
    suffix = path.suffix if path.suffix.lower() in (".csv", ".tsv", ".json", ".jsonl") else ".jsonl"
    return f"{path.stem or 'rows'}.rejects{suffix}"
