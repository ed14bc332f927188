"""The `tunixrt` command: its subcommands, and errors as sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core import __version__
from tunixrt_core.cli.ask import ask
from tunixrt_core.cli.common import Home, fail, open_home
from tunixrt_core.cli.datasets import dataset_app, export
from tunixrt_core.cli.db import db_app
from tunixrt_core.cli.doctor import doctor_app
from tunixrt_core.cli.evals import evals_app
from tunixrt_core.cli.evaluate import evaluate
from tunixrt_core.cli.export import export_model
from tunixrt_core.cli.hyperparameters import Set
from tunixrt_core.cli.ingest import ingest
from tunixrt_core.cli.memory import memory
from tunixrt_core.cli.models import models_app
from tunixrt_core.cli.output import AsJson, print_document, print_json, standard_output, write_file
from tunixrt_core.cli.preflight import preflight
from tunixrt_core.cli.runs import runs_app
from tunixrt_core.cli.script import script
from tunixrt_core.cli.serve import serve
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.cli.traces import traces_app
from tunixrt_core.cli.train import train
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.models import missing_model, model_directory
from tunixrt_core.manifest.variants import read_changes

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(traces_app, name="traces")
app.add_typer(dataset_app, name="dataset")
app.add_typer(db_app, name="db")
app.add_typer(evals_app, name="evals")
manifest_app = typer.Typer(invoke_without_command=True)
app.add_typer(manifest_app, name="manifest")


def main() -> None:
    """Entry point: errors become a sentence and exit code 1, or 75 where a retry can succeed."""
    with standard_output():
        try:
            app(prog_name="tunixrt")
        except TunixRTError as error:
            fail(str(error), retryable=error.retryable)


def _print_version(asked: bool) -> None:
    if asked:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def tunixrt(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From step-by-step reasoning traces to a fine-tuned, evaluated model."""


app.command()(ingest)
app.command()(export)


@manifest_app.callback()
def manifest(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option(help="Dataset to train on.")] = None,
    dataset_version: Annotated[int | None, typer.Option("--version", help="The latest where not given.")] = None,
    data: Annotated[Path | None, typer.Option(help="Or an exported Tunix SFT file; needs no database.")] = None,
    model: Annotated[str, typer.Option(help="Built-in model (tiny), a Hugging Face directory, or org/name.")] = "tiny",
    output_dir: Annotated[
        str | None, typer.Option(help="Folder of the run; the next one in the home otherwise.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output otherwise.")
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
app.command()(preflight)
app.command()(memory)
app.command()(train)
app.command()(evaluate)
app.command()(ask)
app.command("export-model")(export_model)
app.command()(serve)
app.add_typer(runs_app, name="runs")
app.add_typer(models_app, name="models")
app.add_typer(doctor_app, name="doctor")
