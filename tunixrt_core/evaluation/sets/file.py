"""Eval sets from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.datasets.eval_files.columns import Asked
from tunixrt_core.datasets.eval_files.reader import EvalFileReader, read_eval_rows
from tunixrt_core.errors import InvalidEvaluation, InvalidTrace
from tunixrt_core.evaluation.sets.eval_set import EvalRow, EvalSet, rows_hash
from tunixrt_core.evaluation.sets.report import EvalFileReport, Kept, groups_of
from tunixrt_core.evaluation.sets.setup import EvalSetRef
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.ingest.files.rows import RawRow


def file_set(
    path: Path,
    limit: int | None = None,
    *,
    allow_rejects: bool = False,
    columns: Mapping[str, str] | None = None,
) -> EvalSet:
    """The rows of a file, in order, at most `limit`; the whole file is checked. `columns` as in `read_eval_file`.

    Raises UnreadableFile where it cannot be read, InvalidEvaluation where a row is bad (unless `allow_rejects`) or
    none is left.
    """
    found, report = read_eval_file(path, limit=limit, columns=columns)
    if not allow_rejects:
        report.check()
    if not found.rows:
        raise InvalidEvaluation(f"{report.file} holds no usable row. Add a row with a prompt and an expected answer.")
    return found


def read_eval_file(
    source: Path | BinaryIO,
    *,
    name: str | None = None,
    limit: int | None = None,
    rejects: Rejects | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[EvalSet, EvalFileReport]:
    """The rows to evaluate, and the report of the whole file. `rejects` gets the bad rows, byte for byte.

    The files are those that `read_traces` takes one at a time; rows inside of an object are read as there.
    `columns` tells by hand what columns are: column -> prompt, expected_answer, id or system. Raises UnreadableFile.
    """
    label = name or (str(source) if isinstance(source, Path) else "standard input")
    reader = read_eval_rows(source, label, rejects=rejects, columns=columns)
    kept = Kept(label)
    for row, items in reader:
        good = [_take(row, item, reader, kept) for item in items]
        if rejects is not None and not all(good):
            rejects.add(row)
    groups = kept.groups()
    asked = [
        EvalRow(one.own_id, one.prompt, one.reference, one.system, groups_of(one, list(groups)), one.conversation)
        for one in kept.rows[:limit]
    ]
    ref = EvalSetRef("file", Path(label).name, rows_hash(asked), len(asked))
    report = EvalFileReport(
        file=label,
        container=reader.container,
        format=reader.format,
        columns=reader.columns,
        read=kept.read,
        rows=len(kept.rows),
        duplicate=kept.duplicate,
        rejected=kept.rejected,
        groups=groups,
        errors=tuple(kept.errors),
    )
    return EvalSet(ref, asked), report


def _take(row: RawRow, item: Asked | InvalidTrace, reader: EvalFileReader, kept: Kept) -> bool:
    """Whether it was not refused."""
    if isinstance(item, InvalidTrace):
        kept.reject(row.line, item.field, item.reason)
        return False
    return kept.add(row.line, item, reader.columns)
