"""`tunixrt doctor`: what this machine has and lacks, what is in a file, and a bundle of it all to send."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import EvalMap, Home, open_home, settings_of
from tunixrt_core.cli.ingest import Format, Map, RejectsFile, Split, stream_of, tell, words_of
from tunixrt_core.cli.show import ingest as terminal_ingest
from tunixrt_core.cli.show import terminal
from tunixrt_core.errors import OutputError
from tunixrt_core.evaluation.sets.file import read_eval_file
from tunixrt_core.ingest.files.rejects import rejects_file
from tunixrt_core.ingest.formats.mapping import fields_of
from tunixrt_core.util.atomic import write_atomic

doctor_app = typer.Typer(invoke_without_command=True)


@doctor_app.callback()
def doctor(context: typer.Context, home: Home = None) -> None:
    """Check this machine: versions, device, home, database. Exits with 1 where something needed is missing."""
    if context.invoked_subcommand is not None:
        return
    from tunixrt_core.home.doctor import checks

    found = list(checks(settings_of(home)))
    terminal.table(
        ("", "Check", ""), [({"ok": "ok", "warn": "!", "bad": "x"}[c.state], c.name, c.detail) for c in found]
    )
    raise typer.Exit(1 if any(c.state == "bad" for c in found) else 0)


@doctor_app.command()
def data(
    file: Annotated[Path, typer.Argument(help="JSONL, JSON, CSV or Parquet, gzip too; - for standard input.")],
    format: Format = "auto",
    split: Split = "auto",
    map_: Map = None,
    rejects: RejectsFile = None,
    home: Home = None,
) -> None:
    """Read a file of traces to its end and say what is in it; store nothing. Exits with 1 where a row is bad."""
    with open_home(home) as rt, terminal.progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        found = rt.traces.diagnose(
            stream_of(file),
            rejects=rejects,
            on_progress=lambda p: tell(bar, task, p),
            **words_of(file, format, split, map_),
        )
        bar.update(task, completed=found.rows, total=found.rows, note="")
    terminal_ingest.diagnosis(found)
    if rejects is not None and found.rejected:
        terminal.out.print(f"Rejected rows are in {rejects}; mend them there and ingest that file.")
    raise typer.Exit(1 if found.rejected else 0)


@doctor_app.command("eval")
def eval_file(
    file: Annotated[Path, typer.Argument(help="JSONL, JSON, CSV or Parquet, gzip too; - for standard input.")],
    map_: EvalMap = None,
    rejects: RejectsFile = None,
) -> None:
    """Read an eval file and say what would be asked, and by what it groups. Exits with 1 where a row is bad."""
    with rejects_file(rejects) if rejects else nullcontext() as rejected:
        name = "standard input" if str(file) == "-" else str(file)
        _, report = read_eval_file(stream_of(file), name=name, rejects=rejected, columns=fields_of(map_ or []))
    terminal_ingest.eval_file(report)
    if rejects is not None and report.rejected:
        terminal.out.print(f"Rejected rows are in {rejects}; mend them there.")
    raise typer.Exit(1 if report.rejected or not report.rows else 0)


@doctor_app.command()
def bundle(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; named by the time otherwise.")
    ] = None,
    home: Home = None,
) -> None:
    """Write a zip to attach to a report: versions, settings, logs, states of the newest runs; no secrets, no traces."""
    from tunixrt_core.home.diagnostics import diagnostics, file_name

    path = output or Path(file_name())
    try:
        write_atomic(path, b"".join(diagnostics(settings_of(home), os.environ)))
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}). Name another place.") from None
    terminal.out.print(f"{path}  {path.stat().st_size:,} bytes. Read it before you send it to somebody.")
