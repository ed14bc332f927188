"""`tunixrt db`: back the store up, check it, restore it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, open_home, settings_of
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.store.backup import restore as restore_store

db_app = typer.Typer(no_args_is_help=True, help="Back up, check and restore the store.")


@db_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="New file to write, such as backup.db.")], home: Home = None
) -> None:
    """Copy the store to a new file, while it is in use or not, and check the copy."""
    with open_home(home) as rt:
        made = rt.home.backup(file)
    out.print(f"{made.path}  {made.traces:,} traces, {made.bytes:,} bytes, checked")


@db_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `tunixrt db backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the store that is there; it is kept aside.")] = False,
    home: Home = None,
) -> None:
    """Put a backup in the place of the store. Stop the dashboard first."""
    # the store must not be open while its file is replaced
    made = restore_store(settings_of(home).database_url, file, force=force)
    out.print(f"{made.path}  {made.traces:,} traces restored")
    if made.kept is not None:
        out.print(f"{made.kept}  is the store that was there before; delete it when it is not needed any more")


@db_app.command()
def check(home: Home = None) -> None:
    """Read every page and every trace, and compare each with its hash. Exits with 1 where something is wrong."""
    with open_home(home) as rt:
        health = rt.home.check_store()
    for problem in health.problems:
        err.print(problem, style="red")
    state = "damaged; restore a backup with `tunixrt db restore`" if health.problems else "sound"
    out.print(f"{health.traces:,} traces and {health.tombstones:,} tombstones read: {state}")
    raise typer.Exit(1 if health.problems else 0)
