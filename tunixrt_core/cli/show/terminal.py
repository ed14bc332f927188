"""How the command draws on a terminal: tables, numbers, progress bars. Knows nothing of the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tunixrt_core.runs.record import RunState

# no markup: names, paths and messages hold square brackets of their own
out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Numbers to the right, everything else to the left, a dash for what is missing."""
    drawn = Table(title=title, box=None, header_style="bold", pad_edge=False)
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(number(cell)) for cell in row))
    out.print(drawn)


def number(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2e}" if value != 0 and abs(value) < 1e-3 else f"{value:,.3f}"


def dropped_rows(state: RunState) -> None:
    """Say how many rows were too long to be used, so that nobody takes a part of the data for all of it."""
    if dropped := int(state.plan.get("dropped_rows", 0)):
        total = dropped + int(state.plan.get("train_rows", 0)) + int(state.plan.get("eval_rows", 0))
        err.print(
            f"{dropped:,} of {total:,} rows are longer than max_seq_length and were left out. "
            "Raise it with --set max_seq_length=N in the manifest.",
            style="yellow",
        )


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error, so that standard output stays clean for pipes."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=err,
    ) as bar:
        yield bar
