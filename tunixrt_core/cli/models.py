"""`tunixrt models`: list and download models."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, settings_of
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.pipeline.models import Models

models_app = typer.Typer(no_args_is_help=True, help="List the models of this home, and download others.")


@models_app.command("list")
def models_list(as_json: AsJson = False, home: Home = None) -> None:
    """List the built-in models and those that were downloaded or put into the home."""
    found = Models(settings_of(home)).available()
    if as_json:
        print_json({"models": found})
        return
    terminal.table(
        ("Model", "Type", "Bytes", "Commit"), [(model.name, model.type, model.bytes, model.commit) for model in found]
    )


@models_app.command("get")
def models_get(
    model: Annotated[
        str, typer.Argument(help="org/name, org/name@revision, or kaggle:owner/model/framework/variation.")
    ],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Download a model into the home, check its files and print its path. An existing one is only checked."""
    with terminal.progress() as bar:
        task = bar.add_task(model, total=None, note="")

        def show(done: int, total: int, file: str) -> None:
            bar.update(task, completed=done, total=total or None, note=file)

        found = Models(settings_of(home)).get(model, show)
    if as_json:
        print_json(found)
    else:
        out.print(f"{found.path}  {found.type}, {found.layers} layers, complete")
