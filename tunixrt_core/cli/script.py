"""`tunixrt manifest` and its stand-alone script and notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, foreground
from tunixrt_core.cli.output import AsJson, print_json, write_file
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.manifest.manifest import load_manifest


def script(
    manifest: Annotated[Path, typer.Argument(help="Manifest file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Python file to write.")],
    notebook_file: Annotated[Path | None, typer.Option("--notebook", help="Notebook to write as well.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a stand-alone Python file that runs a manifest with Tunix alone, without this project."""
    text, as_notebook = foreground(home).script(load_manifest(manifest))
    write_file(output, text)
    if notebook_file is not None:
        write_file(notebook_file, as_notebook)
    lines = len(text.splitlines())
    if as_json:
        print_json({"script": output, "lines": lines, "notebook": notebook_file})
    else:
        out.print(f"{output}  {lines} lines; run it with: python {output}")
