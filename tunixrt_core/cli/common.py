"""Shared parts of commands: home option, opening the home, errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.show.terminal import err
from tunixrt_core.errors import NotFound
from tunixrt_core.runs.record import RunDir
from tunixrt_core.settings import Settings

if TYPE_CHECKING:
    from tunixrt_core.pipeline.foreground import Foreground
    from tunixrt_core.pipeline.pipeline import Pipeline

Home = Annotated[Path | None, typer.Option("--home", help="Directory for everything; TUNIXRT_HOME otherwise.")]

EvalMap = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="Say which column of the eval file is what: field=column, with prompt, expected_answer, id or system; "
        "such as expected_answer=gold. Repeat it.",
    ),
]


def fail(message: str, *, retryable: bool = False) -> NoReturn:
    """End with a sentence and exit code 1, or RETRY where the same command can succeed later."""
    err.print(f"Error: {message}", style="bold red")
    raise SystemExit(ExitCode.RETRY if retryable else ExitCode.FAILURE)


def settings_of(home: Path | None) -> Settings:
    environ = {**os.environ, **({"TUNIXRT_HOME": str(home)} if home else {})}
    return Settings.from_env(environ)


def open_home(home: Path | None) -> Pipeline:
    from tunixrt_core.pipeline.pipeline import open_pipeline

    return open_pipeline(settings_of(home))


def foreground(home: Path | None) -> Foreground:
    from tunixrt_core.pipeline.foreground import Foreground

    return Foreground(settings_of(home))


def run_folder(run: str, settings: Settings) -> RunDir:
    """Of a run's id in the home, or of a path. Raises NotFound."""
    for path in (settings.runs_dir / run, Path(run)):
        if (path / "manifest.yaml").is_file():
            return RunDir(path.resolve())
    raise NotFound("run", run, "`tunixrt runs list` shows those of this home; a run's folder works too.")
