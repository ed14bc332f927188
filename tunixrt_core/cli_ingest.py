"""`tunixrt ingest`: traces from a file or standard input into the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core import terminal
from tunixrt_core.cli_common import Home, open_home


def ingest(
    file: Annotated[Path | None, typer.Argument(help="JSONL or JSON file, gzip too; - for standard input.")] = None,
    format: Annotated[str, typer.Option(help="Record format; auto looks at the content.")] = "auto",
    source: Annotated[str | None, typer.Option(help="Name to keep as the traces' source.")] = None,
    bundled: Annotated[bool, typer.Option("--examples", help="Load the bundled example traces.")] = False,
    home: Home = None,
) -> None:
    """Read traces into the store. Exits with 1 where a line was rejected."""
    if bundled == (file is not None):
        raise typer.BadParameter("name a file, or give --examples")
    with open_home(home) as rt, terminal.progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        if file is None:
            report = rt.ingest_examples()
        else:
            stream = sys.stdin.buffer if str(file) == "-" else file
            report = rt.ingest(
                stream,
                name="standard input" if str(file) == "-" else str(file),
                format=format,
                source_label=source,
                on_progress=lambda n: bar.update(task, completed=n),
            )
        bar.update(task, completed=report.read, total=report.read)
    terminal.import_report(report)
    raise typer.Exit(1 if report.rejected else 0)
