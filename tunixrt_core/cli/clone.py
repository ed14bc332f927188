"""`tunixrt runs clone`: the manifest of a run with some values changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.accelerator import Wait
from tunixrt_core.cli.common import Home, RunName, open_home, run_folder, settings_of
from tunixrt_core.cli.hyperparameters import Set
from tunixrt_core.cli.output import AsJson, print_document, print_json, write_file
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.cli.train import train_here
from tunixrt_core.manifest.manifest import load_run_manifest
from tunixrt_core.manifest.variants import keep_parent, make_variant, read_changes
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.runs.folder import RunDir


def runs_clone(
    run: RunName,
    set_: Set = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: standard output.")
    ] = None,
    output_dir: Annotated[
        str | None, typer.Option(help="Folder of the new run. Default: the next one in the home.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Train the clone at once, in this process.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a run's manifest with changed values, for a new run, and list the changes."""
    settings = settings_of(home)
    if output_dir is None:
        with open_home(home) as rt:
            output_dir = rt.manifests.next_run_dir()
    manifest = load_run_manifest(run_folder(run, settings))
    variant = make_variant(manifest, read_changes(set_ or []), output_dir)
    for change in variant.changed:
        terminal.err.print(f"{change.key}: {change.values[0]} -> {change.values[1]}")
    if output:
        write_file(output, variant.manifest.to_yaml())
    if start:
        folder = RunDir(Path(output_dir).absolute())
        if not folder.state_file.exists():  # otherwise the start is refused
            folder.create()
            keep_parent(folder, run, manifest, variant.manifest)
        train_here(variant.manifest, folder, Foreground(settings), resume=False, wait=wait, as_json=as_json)
    elif as_json:
        print_json({"manifest": variant.manifest, "changed": variant.changed, "output": output})
    elif output:
        out.print(f"{output}  start it with: tunixrt train {output}")
    else:
        print_document(variant.manifest.to_yaml())
