"""The part of the `tunixrt` command that works on models: list those of the home, download one."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, settings_of
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.tunix_backend.model.hub import downloaded_models
from tunixrt_core.tunix_backend.model.models import resolve_model
from tunixrt_core.tunix_backend.model.weight_files import check_weights

models_app = typer.Typer(no_args_is_help=True, help="List the models of this home, and download others.")


@models_app.command("list")
def models_list(home: Home = None) -> None:
    """List the built-in models and those that were downloaded or put into the home."""
    found = downloaded_models(settings_of(home).models_dir)
    rows = [
        (model.name, model.kind, model.bytes, model.commit) for model in found if model.name not in BUILTIN_MODEL_IDS
    ]
    terminal.table(
        ("Model", "Type", "Bytes", "Commit"), [*((name, "built in", None, "") for name in BUILTIN_MODEL_IDS), *rows]
    )


@models_app.command("get")
def models_get(
    model: Annotated[
        str, typer.Argument(help="org/name, org/name@revision, or kaggle:owner/model/framework/variation.")
    ],
    home: Home = None,
) -> None:
    """Download a model into the home, check its files, and print where it lies. One that is there is only checked."""
    with terminal.progress() as bar:
        task = bar.add_task(model, total=None, note="")

        def show(done: int, total: int, file: str) -> None:
            bar.update(task, completed=done, total=total or None, note=file)

        directory = resolve_model(model, settings_of(home).models_dir, show)
    architecture = check_weights(directory)
    out.print(f"{directory}  {architecture.kind}, {architecture.layers} layers, whole")
