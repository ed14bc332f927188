"""`tunixrt db`: backup, check and restore of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, open_home, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.pipeline import recovery

db_app = typer.Typer(no_args_is_help=True, help="Back up, check and restore the database.")


@db_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="New file to write, such as backup.db.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Copy the database to a new file and check the copy. The database may be in use."""
    with open_home(home) as rt:
        made = rt.home.backup(file)
    if as_json:
        print_json(made)
        return
    out.print(f"{made.path}  {made.traces:,} traces, {made.bytes:,} bytes, checked")


@db_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Backup file written by `tunixrt db backup`.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing database; it is kept under another name.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Replace the database with a backup. Stop the dashboard first."""
    made = recovery.restore(settings_of(home), file, force=force)
    if as_json:
        print_json(made)
        return
    out.print(f"{made.path}  {made.traces:,} traces restored")
    if made.kept is not None:
        out.print(f"{made.kept}  is the previous database; delete it when it is no longer needed")


@db_app.command()
def check(as_json: AsJson = False, home: Home = None) -> None:
    """Read every page and every trace, and compare each trace with its hash. Exits with 1 if one is damaged."""
    with open_home(home) as rt:
        health = rt.home.check_store()
    if as_json:
        print_json(health)
    else:
        for problem in health.problems:
            err.print(problem, style="red")
        state = "damaged; restore a backup with `tunixrt db restore`" if health.problems else "sound"
        out.print(f"{health.traces:,} traces and {health.tombstones:,} tombstones read: {state}")
    raise typer.Exit(ExitCode.FAILURE if health.problems else ExitCode.SUCCESS)
