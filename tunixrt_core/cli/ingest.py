"""`tunixrt ingest`: traces from a file or standard input into the store; and what a file would give, beforehand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.show import ingest as terminal_ingest
from tunixrt_core.cli.show import terminal
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.report import ImportProgress
from tunixrt_core.pipeline.pipeline import Pipeline

Format = Annotated[str, typer.Option(help="Format of the rows; auto looks at the content.")]
Split = Annotated[str, typer.Option(help="Divide reasoning by: auto, numbered, paragraphs, lines or none.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Say which column is what: field=column, such as prompt=question. Repeat it."),
]
RejectsFile = Annotated[
    Path | None, typer.Option("--rejects", help="Write the rejected rows here, to be mended and fed again.")
]


def ingest(
    file: Annotated[
        Path | None, typer.Argument(help="JSONL, JSON, CSV or Parquet, gzip too; - for standard input.")
    ] = None,
    format: Format = "auto",
    source: Annotated[str | None, typer.Option(help="Name to keep as the traces' source.")] = None,
    split: Split = "auto",
    map_: Map = None,
    rejects: RejectsFile = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be made of it; store nothing.")] = False,
    bundled: Annotated[bool, typer.Option("--examples", help="Load the bundled example traces.")] = False,
    home: Home = None,
) -> None:
    """Read traces into the store. Exits with 1 where a row was rejected."""
    if bundled == (file is not None):
        raise typer.BadParameter("name a file, or give --examples")
    with open_home(home) as rt:
        if file is None:
            terminal_ingest.import_report(rt.traces.ingest_examples())
            return
        words = words_of(file, format, split, map_, source)
        if preview:
            terminal_ingest.import_preview(rt.traces.preview(stream_of(file), **words))
            return
        _store(rt, file, words, rejects)


def stream_of(file: Path) -> Any:
    """The file, or standard input for `-`."""
    return sys.stdin.buffer if str(file) == "-" else file


def words_of(file: Path, format: str, split: str, pairs: list[str] | None, source: str | None = None) -> Reading:
    """What the user said about a file, as the verbs take it. Raises UnreadableFile."""
    mapping = ColumnMapping.parse(pairs or [])
    name = "standard input" if str(file) == "-" else str(file)
    return {
        "name": name,
        "format": format,
        "split": split,
        "mapping": mapping.fields if mapping else None,
        "source_label": source,
    }


def tell(bar: Any, task: Any, progress: ImportProgress) -> None:
    """Rows on the bar, with the rate and the time left beside them where the size is known."""
    left = progress.seconds_left
    note = f"{progress.rate:,.0f}/s" + (f", about {left:,.0f} s left" if left is not None else "")
    total = round(progress.read / progress.share) if progress.share else None
    bar.update(task, completed=progress.read, total=total, note=note)


def _store(rt: Pipeline, file: Path, words: Reading, rejects: Path | None) -> None:
    with terminal.progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        report = rt.traces.ingest(stream_of(file), rejects=rejects, on_progress=lambda p: tell(bar, task, p), **words)
        bar.update(task, completed=report.read, total=report.read, note="")
    terminal_ingest.import_report(report)
    if rejects is not None and report.rejected:
        terminal.out.print(f"Rejected rows are in {rejects}; mend them there and ingest that file.")
    raise typer.Exit(1 if report.rejected else 0)
