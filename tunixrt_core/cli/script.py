"""The command that writes a manifest as a script and a notebook which need Tunix alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, settings_of
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.errors import OutputError
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.tunix_backend.availability import require_tunix
from tunixrt_core.tunix_backend.model.models import local_model


def script(
    manifest: Annotated[Path, typer.Argument(help="Manifest file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Python file to write.")],
    notebook_file: Annotated[Path | None, typer.Option("--notebook", help="Notebook to write too.")] = None,
    home: Home = None,
) -> None:
    """Write a stand-alone Python file that runs a manifest with Tunix alone, without this project."""
    from tunixrt_core.tunix_backend.script.script import (  # loads numpy, for this command alone
        notebook,
        standalone_script,
    )

    wanted = load_manifest(manifest)
    check_data_unchanged(wanted.data)
    if wanted.model.id in BUILTIN_MODEL_IDS:
        require_tunix()  # the built-in models are written with what comes with it
    directory = local_model(wanted.model.id, settings_of(home).models_dir)
    text = standalone_script(wanted, directory.absolute())
    _write(output, text)
    if notebook_file is not None:
        _write(notebook_file, notebook(text))
    out.print(f"{output}  {len(text.splitlines())} lines; run it with: python {output}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}). Choose another file.") from error
