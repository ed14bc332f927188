"""Terminal output: tables, numbers and progress bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tunixrt_core.runs.record import RunState

# all control characters but the ends of lines and tabs, and those that change the order of the text around them
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_ESCAPES |= {code: f"\\u{code:04x}" for code in (*_DIRECTIONS, 0x2028, 0x2029)}


def visible(text: str) -> str:
    """Text with its control characters escaped: no trace can control the terminal."""
    return text.translate(_ESCAPES)


class _Console(Console):
    """A console that escapes control characters, and stops writing when its reader is gone."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        self.quiet = True


# no markup and no emoji: names, paths and messages hold square brackets and colons of their own
out = _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None, empty: str = ""
) -> None:
    """Numbers to the right, everything else to the left, a dash for what is missing.

    A terminal folds long cells; a pipe gets one line per row, whole. `empty`: what standard error says about no rows.
    """
    if empty and not rows:
        err.print(empty)
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    if out.file.isatty():
        _folded(columns, rows, numeric, title)
    else:
        _lines(columns, rows, numeric, title)


def _folded(
    columns: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[bool], title: str | None
) -> None:
    drawn = Table(title=title, box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for name, right in zip(columns, numeric, strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(number(cell)) for cell in row))
    out.print(drawn)


def _lines(
    columns: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[bool], title: str | None
) -> None:
    cells = [[visible(number(cell).replace("\n", " ").replace("\t", " ")) for cell in row] for row in rows]
    if any(columns):
        cells.insert(0, list(columns))
    widths = [max((cell_len(row[i]) for row in cells), default=0) for i in range(len(columns))]
    if title:
        out.print(title)
    for row in cells:
        padded = (
            " " * (width - cell_len(cell)) + cell if right else cell + " " * (width - cell_len(cell))
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        out.print("  ".join(padded).rstrip(), soft_wrap=True)


def number(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2e}" if value != 0 and abs(value) < 1e-3 else f"{value:,.3f}"


def dropped_rows(state: RunState) -> None:
    """Report how many rows were left out as too long, so that a part of the data is not taken for all of it."""
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
        disable=not err.is_terminal,
    ) as bar:
        yield bar
