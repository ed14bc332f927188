"""Progress and result of imports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui.background import TICK, follow
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.components import card, table, tiles
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import duration, plural, whole
from tunixrt_core.errors import Stopped, TunixRTError
from tunixrt_core.ingest.files.packed import without_suffix
from tunixrt_core.ingest.report import (
    Diagnosis,
    ImportReport,
    ReadWarning,
    RowError,
    Unit,
)
from tunixrt_core.jobs.imports import FileRead
from tunixrt_core.util.tasks import Task

PATIENCE = 0.4  # a small file is read before a progress bar is drawn


def show_warnings(warnings: Sequence[ReadWarning], unit: Unit) -> None:
    """Rows that may have been misread."""
    for warning in warnings:
        words = f"{plural(warning.times, 'row')}, first {unit} {warning.first_line:,}: {warning.text}"
        st.warning(escape_markdown(words), icon=":material/warning:")


def show_notes(notes: Sequence[str]) -> None:
    """How the file is read where that is not plain."""
    for note in notes:
        st.caption(escape_markdown(note))


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


def show_imports(tasks: Sequence[Task[FileRead]]) -> None:
    """The progress or the reports of files that were read together; a bad one stops no other."""
    if len(tasks) == 1:
        show_import(tasks[0])
        return
    imports = get_pipeline().traces.imports
    tasks = [imports.wait(task.id, PATIENCE / len(tasks)) for task in tasks]
    if not all(task.over for task in tasks):
        with st.container(border=True, key="import-jobs"):
            st.fragment(_follow_all, run_every=TICK)([task.id for task in tasks])
        return
    _show_reports(tasks)


def _follow_all(ids: Sequence[str]) -> None:
    with error_boundary():
        tasks = [task for id in ids if (task := get_pipeline().traces.imports.find(id)) is not None]
        under_way = [task for task in tasks if not task.over]
        if not under_way:
            st.rerun()
        st.caption(f"{len(tasks) - len(under_way):,} of {plural(len(tasks), 'file')} read")
        for task in under_way:
            _show_progress(task, task.id)


def _show_reports(tasks: Sequence[Task[FileRead]]) -> None:
    """One line per file; what was rejected, and why a file could not be read, is below."""
    read: list[tuple[ImportReport | Diagnosis, FileRead, str]] = []
    failed: list[Exception] = []
    for task in tasks:
        try:
            found = task.value()
        except (Stopped, TunixRTError) as error:
            failed.append(error)
        else:
            read.append((found.report, found, task.id))
    action = "Check" if tasks[0].kind == "check" else "Import"
    with card(f"{action} of {plural(len(tasks), 'file')}", key="reports"):
        for reason in failed:
            st.error(escape_markdown(str(reason)), icon=":material/error:")
        if read:
            table(
                [_line(report) for report, _, _ in read],
                {
                    "file": st.column_config.TextColumn("File"),
                    "read": st.column_config.NumberColumn("Read", format="localized", width=80),
                    "new": st.column_config.NumberColumn("New", format="localized", width=80),
                    "duplicate": st.column_config.NumberColumn("Duplicate", format="localized", width=90),
                    "rejected": st.column_config.NumberColumn("Rejected", format="localized", width=90),
                },
                key="report-lines",
                alt=f"{plural(len(read), 'file')} with the traces read, new, duplicate and rejected.",
            )
        for report, file, key in read:
            if report.errors:
                with st.expander(
                    f"{escape_markdown(report.file)} · {plural(report.rejected, 'rejected row')}", key=f"{key}-why"
                ):
                    show_rejected(report.errors, report.rejected, report.file, file, f"{key}-")
        if read and action == "Import":
            _ways_on()


def _line(report: ImportReport | Diagnosis) -> dict[str, Any]:
    new = report.inserted if isinstance(report, ImportReport) else report.unique
    return {
        "file": report.file,
        "read": report.read,
        "new": new,
        "duplicate": report.duplicate,
        "rejected": report.rejected,
    }


def _ways_on() -> None:
    with st.container(horizontal=True):
        if st.button("Build a dataset", type="primary", icon=":material/dataset:", key="build-a-dataset"):
            go("datasets", new="1")
        if st.button("Browse the traces", icon=":material/account_tree:", key="browse"):
            go("traces")


def _show_progress(task: Task[FileRead], key: str = "import") -> None:
    action = {"import": "Importing", "check": "Checking"}[task.kind]
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            st.progress(task.share, text=escape_markdown(f"{action} {task.title} · {progress_words(task)}"))
        act_button(
            "Stop",
            icon=":material/stop:",
            key=f"stop-{key}",
            disabled=task.stopping,
            help="Stopping." if task.stopping else "Stops the task. Nothing is stored.",
            on_click=_stop,
            args=(task.id,),
        )


def _stop(task_id: str) -> None:
    with error_boundary():
        get_pipeline().traces.stop_import(task_id)


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
    """The rows of a file, all accounted for, and the ways on."""
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
        _ways_on()


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


def show_rejected(errors: Sequence[RowError], rejected: int, name: str, file: FileRead | None, key: str = "") -> None:
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
                key=f"{key}rejects",
                help="Copied from the file unchanged. Fix them and import the fixed file.",
            )
    show_errors(errors, rejected, key=f"{key}rejected")


def show_errors(errors: Sequence[RowError], rejected: int, *, key: str) -> None:
    """Rejected rows with line, field and reason."""
    rows: list[dict[str, Any]] = [{"line": e.line, "field": e.field or None, "reason": e.reason} for e in errors]
    table(
        rows,
        {
            "line": st.column_config.NumberColumn(errors[0].unit.capitalize(), format="localized", width=70),
            "field": st.column_config.TextColumn("Field", width=120),
            "reason": st.column_config.TextColumn("Reason"),
        },
        key=key,
        alt=f"{rejected:,} rejected rows with {errors[0].unit}, field and reason.",
        height="content" if len(errors) <= 10 else 400,
    )


def _rejects_name(name: str) -> str:
    """`rows.csv.gz` -> `rows.rejects.csv`: rejected rows are unpacked; those of tables are JSON Lines."""
    path = PurePath(without_suffix(name))
    suffix = path.suffix if path.suffix.lower() in (".csv", ".tsv", ".json", ".jsonl") else ".jsonl"
    return f"{path.stem or 'rows'}.rejects{suffix}"
