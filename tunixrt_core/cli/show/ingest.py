"""Import reports, previews and diagnoses on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.cli.show.terminal import err, out, table

if TYPE_CHECKING:
    from tunixrt_core.evaluation.sets.report import EvalFileReport
    from tunixrt_core.ingest.report import Diagnosis, ImportReport, Preview, ReadWarning, RowError

_SHOWN = 20
_CHARS = 160


def import_report(report: ImportReport) -> None:
    scores = f", {report.scores:,} scores" if report.scores else ""
    out.print(
        f"Read {report.read:,} = {report.inserted:,} inserted + {report.duplicate:,} duplicate + "
        f"{report.rejected:,} rejected  ({report.format}, {report.seconds:.1f} s{scores})"
    )
    _notes(report.notes)
    _warnings(report.warnings)
    _errors(report.errors, report.rejected)


def import_preview(preview: Preview) -> None:
    """The format, the field of each column, and the first rows as traces."""
    sample = "all" if preview.whole else "the first"
    out.print(f"{preview.file}: {preview.container}, format {preview.format} ({preview.sure}: {preview.why})")
    out.print(f"Of {sample} {preview.good + preview.bad:,} rows {preview.good:,} can be read, {preview.bad:,} cannot.")
    table(
        ("Column", "Becomes", "First values"),
        [(c.name, c.field, " | ".join(map(_line, c.samples))) for c in preview.told],
    )
    _notes(preview.notes)
    _warnings(preview.warnings)
    for row in preview.rows:
        for trace in row.traces:
            out.print()
            out.print(f"{preview.unit.capitalize()} {row.line}, prompt: {_line(trace['prompt'])}")
            for step in trace["steps"][:_SHOWN]:
                out.print(f"  {step['i'] + 1}. ({step['type']}) {_line(step['content'])}")
            out.print(f"  answer: {_line(trace['final_answer'])}")
        _errors(row.errors, len(row.errors))


def diagnosis(found: Diagnosis) -> None:
    """The contents of a file: counts, a histogram of reasons, then each bad row as file:line:field: reason."""
    out.print(f"{found.file}: {found.container}, format {found.format} ({found.sure}: {found.why})")
    scores = f", {found.scores:,} scores" if found.scores else ""
    out.print(
        f"{found.rows:,} rows. Read {found.read:,} = {found.unique:,} would be imported + "
        f"{found.duplicate:,} duplicate in the file + {found.rejected:,} rejected  ({found.seconds:.1f} s{scores})"
    )
    _notes(found.notes)
    _warnings(found.warnings)
    for twin in found.twins[:_SHOWN]:
        out.print(f"{found.unit.capitalize()} {twin.line:,} gives the same trace as {found.unit} {twin.first_line:,}.")
    if found.duplicate > _SHOWN:
        out.print(f"and {found.duplicate - _SHOWN:,} more duplicates")
    if found.reasons:
        table(
            ("Times", "Field", "Reason", f"First {found.unit}"),
            [(reason.times, reason.field, reason.reason, reason.first_line) for reason in found.reasons],
        )
    _errors(found.errors, found.rejected)


def eval_file(report: EvalFileReport) -> None:
    """The contents of an eval file: counts, columns, groups with their rows; then each bad row."""
    named = "".join(f", {field} = {column}" for field, column in report.columns.items())
    out.print(f"{report.file}: {report.container}, format {report.format}{named}")
    out.print(
        f"Read {report.read:,} = {report.rows:,} would be asked + {report.duplicate:,} duplicate + "
        f"{report.rejected:,} rejected"
    )
    rows = [(column, value, count) for column, values in report.groups.items() for value, count in values.items()]
    if rows:
        table(("Group", "Value", "Rows"), rows)
    _errors(report.errors, report.rejected)


def rejects_written(file: Path | None, rejected: int) -> None:
    """Where the rejected rows are, if there are any and they were written."""
    if file is not None and rejected:
        out.print(f"Rejected rows are in {file}. Fix them there and read that file.")


def _warnings(warnings: Sequence[ReadWarning]) -> None:
    for warning in warnings:
        err.print(f"Warning, {warning.times:,} x, first at {warning.first_line:,}: {warning.text}", style="yellow")


def _notes(notes: Sequence[str]) -> None:
    for note in notes[:_SHOWN]:
        out.print(note)


def _errors(errors: Sequence[RowError], total: int) -> None:
    for error in errors[:_SHOWN]:
        err.print(f"{error.file}:{error.place}:{error.field}: {error.reason}", style="yellow")
    if total > _SHOWN:
        err.print(f"and {total - _SHOWN:,} more rejected", style="yellow")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CHARS else line[: _CHARS - 1] + "…"
