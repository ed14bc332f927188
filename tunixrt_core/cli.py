"""The `tunixrt` command: thin over the pipeline. Errors are one sentence on standard error and a non-zero exit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core import __version__, terminal
from tunixrt_core.cli_common import Home, fail, open_home, settings_of
from tunixrt_core.cli_jobs import evaluate, export_model, train
from tunixrt_core.cli_memory import memory
from tunixrt_core.cli_models import models_app
from tunixrt_core.cli_preflight import preflight
from tunixrt_core.cli_runs import runs_app
from tunixrt_core.cli_script import script
from tunixrt_core.datasets import DatasetSpec
from tunixrt_core.errors import TunixRTError
from tunixrt_core.export import EXPORT_FORMATS
from tunixrt_core.terminal import out
from tunixrt_core.variants import read_changes

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="From step-by-step reasoning traces to a fine-tuned, evaluated model.",
    pretty_exceptions_enable=False,
)
dataset_app = typer.Typer(no_args_is_help=True, help="Build and look at dataset versions.")
app.add_typer(dataset_app, name="dataset")
manifest_app = typer.Typer(invoke_without_command=True)
app.add_typer(manifest_app, name="manifest")


def main() -> None:
    """Entry point: runs the command and turns errors into a sentence and exit code 1."""
    try:
        app(prog_name="tunixrt")
    except TunixRTError as error:
        fail(str(error))
    except BrokenPipeError:
        # the reader of a pipe went away, as `head` does; nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command()
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


@dataset_app.command("build")
def dataset_build(
    name: str,
    source: Annotated[str | None, typer.Option(help="Only traces of this source.")] = None,
    text: Annotated[str, typer.Option(help="Only traces that this search finds.")] = "",
    selection: Annotated[str, typer.Option(help="all, latest or random.")] = "all",
    limit: Annotated[int | None, typer.Option(help="How many, for latest and random.")] = None,
    seed: int = 0,
    eval_share: Annotated[float, typer.Option(help="Share of the prompts that go to the eval split.")] = 0.1,
    home: Home = None,
) -> None:
    """Freeze a selection of traces as the next version of a dataset."""
    spec = DatasetSpec.from_dict(
        {
            "name": name,
            "source": source,
            "text": text,
            "selection": selection,
            "limit": limit,
            "seed": seed,
            "eval_share": eval_share,
        }
    )
    with open_home(home) as rt:
        built = rt.build_dataset(spec)
    out.print(
        f"{built.name} v{built.version}: {built.train_rows:,} train + {built.eval_rows:,} eval rows, "
        f"sha256 {built.content_hash}"
    )


@dataset_app.command("list")
def dataset_list(name: Annotated[str | None, typer.Argument()] = None, home: Home = None) -> None:
    """List dataset versions, newest first."""
    with open_home(home) as rt:
        versions = rt.dataset_versions(name)
    terminal.table(
        ("Dataset", "Version", "Train", "Eval", "sha256"),
        [(v.name, v.version, v.train_rows, v.eval_rows, v.content_hash[:12]) for v in versions],
    )


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Dataset name.")],
    dataset_version: Annotated[int | None, typer.Option("--version", help="The latest where not given.")] = None,
    format: Annotated[str, typer.Option(help=", ".join(EXPORT_FORMATS))] = "tunix_sft",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; in the home otherwise.")] = None,
    home: Home = None,
) -> None:
    """Write a dataset version as JSONL. The same version always gives the same bytes."""
    with open_home(home) as rt:
        info = rt.export_dataset(name, dataset_version, format=format, path=output)
    out.print(f"{info.path}  {info.rows:,} rows, {info.bytes:,} bytes, sha256 {info.sha256}")


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
    set_: Annotated[list[str] | None, typer.Option("--set", help="Hyperparameter, as learning_rate=2e-4.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML.")] = False,
    home: Home = None,
) -> None:
    """Write a run manifest, or a script from one."""
    if context.invoked_subcommand is not None:
        return
    if (dataset is None) == (data is None):
        raise typer.BadParameter("give --dataset or --data")
    with open_home(home) as rt:
        built = rt.build_manifest(
            dataset,
            dataset_version,
            data_file=data.resolve() if data else None,
            model_id=model,
            output_dir=output_dir,
            hyperparams=read_changes(set_ or []),
        )
    text = built.to_json() if as_json else built.to_yaml()
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        out.print(f"{output}  {built.data.train_rows:,} train rows; start it with: tunixrt train {output}")


manifest_app.command()(script)
app.command()(preflight)
app.command()(memory)
app.command()(train)
app.command()(evaluate)
app.command("export-model")(export_model)
app.add_typer(runs_app, name="runs")
app.add_typer(models_app, name="models")


@app.command()
def doctor(home: Home = None) -> None:
    """Check this machine: versions, device, home, database. Exits with 1 where something needed is missing."""
    from tunixrt_core.doctor import checks

    found = list(checks(settings_of(home)))
    terminal.table(
        ("", "Check", ""), [({"ok": "ok", "warn": "!", "bad": "x"}[c.state], c.name, c.detail) for c in found]
    )
    raise typer.Exit(1 if any(c.state == "bad" for c in found) else 0)
