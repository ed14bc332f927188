"""`tunixrt manifest`: a run manifest, or a script from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.hyperparameters import Set
from tunixrt_core.cli.output import AsJson, print_document, print_json, write_file
from tunixrt_core.cli.script import script
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.manifest.models import missing_model, model_directory
from tunixrt_core.manifest.variants import read_changes

manifest_app = typer.Typer(invoke_without_command=True)


@manifest_app.callback()
def manifest(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option(help="Dataset to train on.")] = None,
    dataset_version: Annotated[
        int | None, typer.Option("--version", help="Number of the version. Default: the latest.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Exported Tunix SFT file to train on instead; needs no database.")
    ] = None,
    model: Annotated[str, typer.Option(help="Built-in model (tiny), a Hugging Face directory, or org/name.")] = "tiny",
    output_dir: Annotated[
        str | None, typer.Option(help="Folder of the run. Default: the next one in the home.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: standard output.")
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a run manifest, or a script from one."""
    if context.invoked_subcommand is not None:
        return
    if (dataset is None) == (data is None):
        raise typer.BadParameter("give --dataset or --data")
    with open_home(home) as rt:
        if model_directory(model, rt.settings.models_dir) is None:
            err.print(f"Warning: {missing_model(model)}", style="yellow")
        built = rt.manifests.build(
            dataset,
            dataset_version,
            data_file=data.resolve() if data else None,
            model_id=model,
            output_dir=output_dir,
            hyperparams=read_changes(set_ or []),
        )
    text = built.to_json() if as_json else built.to_yaml()
    if output is None:
        print_document(text)
        return
    write_file(output, text)
    if as_json:
        print_json({"output": output, "train_rows": built.data.train_rows})
    else:
        out.print(f"{output}  {built.data.train_rows:,} train rows; start it with: tunixrt train {output}")


manifest_app.command()(script)
