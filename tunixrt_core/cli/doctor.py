"""`tunixrt doctor`: checks of the machine and of files, diagnostics bundle."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import EvalMap, Home, open_home, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.ingest import (
    Encoding,
    Field,
    Format,
    Map,
    RejectsFile,
    Split,
    ThinkTags,
    name_of,
    stream_of,
    tell,
    words_of,
)
from tunixrt_core.cli.output import AsJson, path_text, print_json
from tunixrt_core.cli.show import ingest as terminal_ingest
from tunixrt_core.cli.show import terminal
from tunixrt_core.evaluation.sets.file import read_eval_file
from tunixrt_core.ingest.files.rejects import rejects_file
from tunixrt_core.ingest.formats.mapping import fields_of
from tunixrt_core.pipeline import recovery

doctor_app = typer.Typer(invoke_without_command=True)


@doctor_app.callback()
def doctor(context: typer.Context, as_json: AsJson = False, home: Home = None) -> None:
    """Check this machine: versions, device, home, database. Exits with 1 if something required is missing."""
    if context.invoked_subcommand is not None:
        return
    found = recovery.check_machine(settings_of(home))
    if as_json:
        print_json({"checks": found})
    else:
        terminal.table(
            ("", "Check", ""), [({"ok": "ok", "warn": "!", "bad": "x"}[c.state], c.name, c.detail) for c in found]
        )
    raise typer.Exit(_code(any(c.state == "bad" for c in found)))


def _code(bad: bool) -> ExitCode:
    return ExitCode.FAILURE if bad else ExitCode.SUCCESS


@doctor_app.command()
def data(
    file: Annotated[Path, typer.Argument(help="File in any format that `tunixrt ingest` reads; - for standard input.")],
    format: Format = "auto",
    split: Split = "auto",
    think_tags: ThinkTags = None,
    map_: Map = None,
    field: Field = None,
    encoding: Encoding = None,
    rejects: RejectsFile = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Read a whole file of traces and report its contents; store nothing. Exits with 1 if a row is bad."""
    with open_home(home) as rt, terminal.progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        found = rt.traces.diagnose(
            stream_of(file),
            rejects=rejects,
            on_progress=lambda p: tell(bar, task, p),
            **words_of([file], format, split, map_, None, think_tags, field, encoding),
        )
        bar.update(task, completed=found.rows, total=found.rows, note="")
    if as_json:
        print_json(found)
    else:
        terminal_ingest.diagnosis(found)
        terminal_ingest.rejects_written(rejects, found.rejected)
    raise typer.Exit(_code(bool(found.rejected)))


@doctor_app.command("eval")
def eval_file(
    file: Annotated[Path, typer.Argument(help="File in any format that `tunixrt ingest` reads; - for standard input.")],
    map_: EvalMap = None,
    rejects: RejectsFile = None,
    as_json: AsJson = False,
) -> None:
    """Read an eval file and report its prompts and groups. Exits with 1 if a row is bad."""
    with rejects_file(rejects) if rejects else nullcontext() as rejected:
        columns = fields_of(map_ or [])
        _, report = read_eval_file(stream_of(file), name=name_of(file), rejects=rejected, columns=columns)
    if as_json:
        print_json(report)
    else:
        terminal_ingest.eval_file(report)
        terminal_ingest.rejects_written(rejects, report.rejected)
    raise typer.Exit(_code(bool(report.rejected or not report.rows)))


@doctor_app.command("home")
def check_home(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what can be repaired, and move the rest aside. Deletes no data.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Check the files of a home and of its runs. Exits with 1 if a problem is left."""
    with open_home(home) as rt:
        found = rt.home.repair() if repair else rt.home.look_through()
    left = [each for each in found if not each.done]
    if as_json:
        print_json({"findings": found, "left": len(left)})
    else:
        terminal.table(
            ("", "Run", "File", "Problem", "Fix"),
            [("ok" if f.done else "x", f.run, path_text(f.path), f.reason, f.fix) for f in found],
        )
        if not found:
            terminal.out.print("No problem was found.")
        elif left and not repair:
            terminal.out.print("`tunixrt doctor home --repair` does what the last column says.")
    raise typer.Exit(_code(bool(left)))


@doctor_app.command()
def bundle(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: a name with the current time.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a zip to attach to a report: versions, settings, logs, states of the newest runs; no secrets, no traces."""
    path = recovery.write_diagnostics(settings_of(home), output)
    size = path.stat().st_size
    if as_json:
        print_json({"path": path, "bytes": size})
    else:
        terminal.out.print(f"{path}  {size:,} bytes. Review it before you share it.")
